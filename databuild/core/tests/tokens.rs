//! Tokens: a name means one token, and what was said of it outlives restarts.

mod support;

use databuild_core::decide::{Input, Refusal, TokenRequest};
use databuild_core::event::Scope;
use databuild_core::state::State;
use support::graphs::GraphSpec;
use support::workspace::Workspace;

fn request(name: &str, hash: &str) -> TokenRequest {
    let (name, hash) = (name.to_owned(), hash.to_owned());
    TokenRequest { name, hash, scopes: vec![Scope::Read], datasets: Vec::new(), expires_at: None }
}

fn good<'s>(state: &'s State, workspace: &Workspace, hash: &str) -> Option<&'s str> {
    state.tokens().by_hash(hash, workspace.now).map(|(name, _)| &**name)
}

#[test]
fn a_name_is_given_once() {
    let mut workspace = Workspace::new(&GraphSpec::new(), 1);
    let create = |workspace: &mut Workspace, name: &str, hash: &str| {
        workspace.step(Input::CreateToken(request(name, hash))).reply.map(drop)
    };
    create(&mut workspace, "a", "1").unwrap();
    assert_eq!(create(&mut workspace, "a", "2"), Err(Refusal::TokenNameTaken("a".to_owned())));
    create(&mut workspace, "b", "2").unwrap();
    let revoke = |workspace: &mut Workspace, name: &str| {
        let step = workspace.step(Input::RevokeToken(name.to_owned()));
        (step.reply.map(drop), step.records.len())
    };
    assert_eq!(revoke(&mut workspace, "a"), (Ok(()), 1));
    assert_eq!(revoke(&mut workspace, "a"), (Ok(()), 0), "once is enough");
    assert_eq!(revoke(&mut workspace, "c").0, Err(Refusal::UnknownToken("c".to_owned())));
    assert_eq!(
        create(&mut workspace, "a", "3"),
        Err(Refusal::TokenNameTaken("a".to_owned())),
        "events name it"
    );
    let state = &workspace.core.state;
    assert_eq!((good(state, &workspace, "1"), good(state, &workspace, "2")), (None, Some("b")));
}

#[test]
fn a_token_ends() {
    let mut workspace = Workspace::new(&GraphSpec::new(), 1);
    let end = workspace.now + std::time::Duration::from_secs(60);
    let until = |end| Input::CreateToken(TokenRequest { expires_at: Some(end), ..request("a", "1") });
    let now = workspace.now;
    assert_eq!(workspace.step(until(now)).reply.map(drop), Err(Refusal::TokenEnded("a".to_owned())));
    workspace.step(until(end)).reply.unwrap();
    let of = |at| workspace.core.state.tokens().by_hash("1", at).is_some();
    assert!(of(now) && !of(end));
}

#[test]
fn a_checkpoint_has_tokens() {
    let mut workspace = Workspace::new(&GraphSpec::new(), 1);
    workspace.step(Input::CreateToken(request("a", "1"))).reply.unwrap();
    let state = &workspace.core.state;
    let graph = GraphSpec::new().json();
    let again = State::restore(state.dump(), |_| Some(graph.as_str().into())).unwrap();
    assert_eq!(good(&again, &workspace, "1"), Some("a"));
}
