//! `aurora access`: who am I, and the tokens of the API.

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{Identity, RecognisedBy, Role, Scope, TokenRow, TokenWish, age};
use crate::protocol::{Reply, Request};

use super::args::{AccessCommand, Global, TokenCommand};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::{ask, unexpected};

pub(super) async fn run(command: AccessCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        AccessCommand::Whoami(json) => match ask(config, global, Request::WhoAmI).await? {
            Reply::Identity(identity) if json.json => output::json(&identity)?,
            Reply::Identity(identity) => output::line(&sentence(&identity))?,
            reply => return Err(unexpected(&reply)),
        },
        AccessCommand::Token(TokenCommand::Add { name, role, scopes, expires }) => {
            let scopes = (!scopes.is_empty()).then_some(scopes);
            let wish = TokenWish { operator: name, role, scopes, expires: expires.0 };
            match ask(config, global, Request::AddToken(wish)).await? {
                Reply::TokenAdded(token, fresh) => {
                    output::line(&fresh.0)?;
                    // Not to standard output: `TOKEN=$(aurora access token add ci)` takes the token alone.
                    output::aside(&format!(
                        "{}: {} as {}, {}, expires {}; this is the only time it is shown",
                        token.id,
                        token.operator,
                        role_of(&token),
                        scopes_of(&token),
                        end(&token),
                    ));
                }
                reply => return Err(unexpected(&reply)),
            }
        }
        AccessCommand::Token(TokenCommand::List(json)) => match ask(config, global, Request::Tokens).await? {
            Reply::Tokens(tokens) if json.json => output::json(&tokens)?,
            Reply::Tokens(tokens) => table(&tokens)?,
            reply => return Err(unexpected(&reply)),
        },
        AccessCommand::Token(TokenCommand::Revoke { id }) => match ask(config, global, Request::RevokeToken(id)).await?
        {
            Reply::Done => output::line(&format!("{id} is revoked"))?,
            reply => return Err(unexpected(&reply)),
        },
    }
    Ok(Exit::Fine)
}

fn sentence(identity: &Identity) -> String {
    let by = match &identity.by {
        RecognisedBy::Owner(uid) => format!("the owner of the state directory, uid {uid}"),
        RecognisedBy::Uid(uid) => format!("uid {uid}"),
        RecognisedBy::SshKey(key) => format!("the ssh key {key}"),
        RecognisedBy::Token(id) => format!("the token {id}"),
        RecognisedBy::Node(node) => format!("the node {node}"),
        RecognisedBy::Nobody => "nothing".to_owned(),
    };
    format!("{}  {}  recognised by {by}", identity.operator, identity.role)
}

fn role_of(token: &TokenRow) -> &'static str {
    token.role.map_or("none", Role::as_str)
}

fn scopes_of(token: &TokenRow) -> String {
    match &token.scopes {
        None => "all scopes".to_owned(),
        Some(scopes) => scopes.iter().map(|scope: &Scope| scope.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn end(token: &TokenRow) -> String {
    token.expires.map_or_else(|| "never".to_owned(), |end| end.strftime("%Y-%m-%d").to_string())
}

fn table(tokens: &[TokenRow]) -> Result<(), Failure> {
    let now = Timestamp::now();
    let rows = tokens.iter().map(|token| {
        [
            token.id.to_string(),
            token.operator.to_string(),
            role_of(token).to_owned(),
            scopes_of(token),
            age(token.created, now),
            if token.expires.is_none_or(|end| now <= end) { end(token) } else { "expired".to_owned() },
            token.used.map_or_else(|| "never".to_owned(), |used| age(used, now)),
        ]
    });
    Ok(output::table(["ID", "OPERATOR", "ROLE", "SCOPES", "CREATED", "EXPIRES", "USED"], rows)?)
}
