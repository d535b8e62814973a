//! Tokens for the API. What makes one is random and told once; the log has its hash.

use super::context::Context;
use super::AppError;
use crate::api::{CreateToken, NewToken, TokenList, TokenRow};
use databuild_base::daemon::Token as Secret;
use databuild_core::decide::{Input, Reply, TokenRequest};
use databuild_core::digest::sha256_hex;
use databuild_core::event::Scope;
use databuild_core::state::Token;
use databuild_core::text::shown;
use databuild_core::word::Word as _;
use jiff::{SignedDuration, Timestamp};

/// Bytes of the longest name and of the longest pattern.
const LONGEST: usize = 64;

/// By what the log knows a token.
#[must_use]
pub fn hash_of(token: &str) -> String {
    sha256_hex(token.as_bytes())
}

/// Gives somebody a token.
///
/// # Errors
/// The name is taken, or something of it makes no sense.
pub async fn create(context: &impl Context, body: CreateToken) -> Result<NewToken, AppError> {
    let CreateToken { name, scopes, datasets, expires_seconds } = body;
    let named = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(named) {
        let message = format!(
            "`{}` is no name of a token: 1 to {LONGEST} letters, digits and any of `-_.@`",
            shown(&name)
        );
        return Err(AppError::new("bad_token_name", message));
    }
    let scope =
        |text: &String| Scope::of_word(text).ok_or_else(|| AppError::new("bad_scope", Scope::unknown(text)));
    let mut scopes: Vec<Scope> = scopes.iter().map(scope).collect::<Result<_, _>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(AppError::new("bad_scope", "a token needs at least one scope"));
    }
    if let Some(bad) = datasets.iter().find(|pattern| pattern.is_empty() || pattern.len() > LONGEST) {
        let message = format!("`{}` is no pattern of datasets: 1 to {LONGEST} bytes", shown(bad));
        return Err(AppError::new("bad_dataset_pattern", message));
    }
    let end = |seconds: u64| {
        let length = i64::try_from(seconds).ok().map(SignedDuration::from_secs);
        let end = length.and_then(|length| crate::os::now().checked_add(length).ok());
        end.ok_or_else(|| AppError::new("bad_expiry", "the token would end after the year 9999"))
    };
    let expires_at = expires_seconds.map(end).transpose()?;
    let secret = Secret::generate().map_err(|error| {
        AppError::new("no_random_numbers", format!("the system gives no random numbers: {error}"))
    })?;
    let request =
        TokenRequest { name: name.clone(), hash: hash_of(secret.expose()), scopes, datasets, expires_at };
    let engine = &context.backend().engine;
    let done = engine.submit_once(Input::CreateToken(request), |_, _| None).await?;
    let told_before = matches!(done, Reply::Repeated(_));
    let token = (!told_before).then(|| secret.expose().to_owned());
    Ok(NewToken { token, told_before, row: find(context, &name)? })
}

/// All tokens.
pub fn list(context: &impl Context) -> TokenList {
    let snapshot = context.backend().engine.snapshot();
    let now = crate::os::now();
    let rows = snapshot.state.tokens().iter().map(|(name, token)| row(name, token, now));
    TokenList { data: rows.collect(), seq: snapshot.state.seq().0 }
}

/// Makes a token worth nothing.
///
/// # Errors
/// None has the name.
pub async fn revoke(context: &impl Context, name: String) -> Result<TokenRow, AppError> {
    context.backend().engine.submit(Input::RevokeToken(name.clone())).await?;
    find(context, &name)
}

fn find(context: &impl Context, name: &str) -> Result<TokenRow, AppError> {
    let snapshot = context.backend().engine.snapshot();
    let token = snapshot.state.tokens().get(name);
    let token = token.ok_or_else(|| AppError::not_found("token_not_found", "token", name))?;
    Ok(row(name, token, crate::os::now()))
}

fn row(name: &str, token: &Token, now: Timestamp) -> TokenRow {
    let state = match token.revoked_at {
        Some(_) => "revoked",
        None if token.is_good(now) => "good",
        None => "expired",
    };
    TokenRow {
        name: name.to_owned(),
        state: state.to_owned(),
        scopes: token.scopes().map(|scope| scope.word().to_owned()).collect(),
        datasets: token.datasets.clone(),
        created_at: token.created_at.to_string(),
        expires_at: token.expires_at.map(|at| at.to_string()),
        revoked_at: token.revoked_at.map(|at| at.to_string()),
    }
}
