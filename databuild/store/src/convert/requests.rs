//! Events of requests that named themselves, both ways.

use super::form::{malformed, read_some, store_some, Stored};
use super::parts::{read_request_key, request_key};
use super::ConvertError;
use databuild_core::event::{KeptAnswer, RequestAnswered};
use databuild_proto::v1 as stored;

impl Stored for RequestAnswered {
    type Message = stored::RequestAnswered;
    const WHAT: &'static str = "the answer to a request";

    fn store(&self) -> stored::RequestAnswered {
        let RequestAnswered { request, answer } = self;
        let (request_key, request_digest) = request_key(Some(request));
        stored::RequestAnswered {
            request_key,
            request_digest,
            answer: store_some(answer.as_ref()),
            ..Default::default()
        }
    }

    fn of_known(message: stored::RequestAnswered) -> Result<RequestAnswered, ConvertError> {
        let stored::RequestAnswered { request_key, request_digest, answer, special_fields: _ } = message;
        let request = read_request_key(request_key, request_digest);
        let request = request.ok_or_else(|| malformed("names no request"))?;
        Ok(RequestAnswered { request, answer: read_some(answer)? })
    }
}

impl Stored for KeptAnswer {
    type Message = stored::KeptAnswer;
    const WHAT: &'static str = "a kept answer";

    fn store(&self) -> stored::KeptAnswer {
        let KeptAnswer { status, content_type, location, body } = self;
        stored::KeptAnswer {
            status: (*status).into(),
            content_type: content_type.clone(),
            location: location.clone(),
            body: body.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::KeptAnswer) -> Result<KeptAnswer, ConvertError> {
        let stored::KeptAnswer { status, content_type, location, body, special_fields: _ } = message;
        let status = u16::try_from(status).map_err(|_| malformed(format!("has the status {status}")))?;
        Ok(KeptAnswer { status, content_type, location, body })
    }
}
