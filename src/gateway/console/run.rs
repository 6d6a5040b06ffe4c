//! Runs commands for the page. Their words are base64, and so are the strings of the replies: keys and values may be any
//! bytes.
//!
//! Unless `http-console-writes` is on, only commands run that change nothing, as their rows in the table of commands say. The
//! page does not decide that. (Whoever may come in may also use `/-/redis/`; this guards against a slip of the hand.)
//!
//! ```text
//! reply      = number | null | {"text": base64} | {"status": "OK"} | {"error": "ERR …"} | [reply, …]
//! ```

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis_protocol::resp2::types::OwnedFrame;

use super::super::answer::{Refused, json};
use super::super::json::{commands as read_commands, write_text};
use super::super::paced::Paced;
use super::super::{Gateway, body, caller, percent, rest};
use crate::base::number;
use crate::clients::Client;
use crate::resp::request::OwnedRequest;

/// Commands of one request: the page looks at a few hundred keys at a time.
const COMMANDS_MAX: usize = 1000;

/// Answers the replies in the order of the commands.
pub(super) async fn run(
    State(gateway): State<Arc<Gateway>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
) -> Result<Response, Refused> {
    if *request.method() != Method::POST {
        return Err(Refused::method("POST").and_close());
    }
    let db = database(request.uri().query())?;
    let body = body::json(&gateway, request).await?;
    let commands = read_commands(&body).map_err(Refused::bad)?;
    if commands.len() > COMMANDS_MAX {
        return Err(Refused::bad(format!(
            "More than {COMMANDS_MAX} commands: send them in several requests"
        )));
    }
    let mut requests = vec![OwnedRequest::from_args([b"SELECT".as_slice(), db.as_bytes()])];
    for command in &commands {
        let command = decode(command)?;
        rest::check(&gateway, &command)?;
        may_run(&gateway, &command)?;
        requests.push(command);
    }
    let replies = caller::call_all(&gateway, &client, &requests).await?;
    let mut frames = replies.frames();
    if let Some(OwnedFrame::Error(line)) = frames.next() {
        return Err(Refused::by_command(&line));
    }
    let mut body = Paced::new(replies.limit());
    body.out.push(b'[');
    for (index, frame) in frames.enumerate() {
        body.separate(index);
        write_reply(&frame, &mut body.out);
        body.rest().await?;
    }
    body.out.push(b']');
    Ok(json(StatusCode::OK, body.out))
}

fn database(query: Option<&str>) -> Result<String, Refused> {
    let mut db = 0;
    for (name, value) in percent::query(query)? {
        let number = value.as_deref().and_then(number::parse_i64).filter(|_| name == b"db");
        db = number.ok_or_else(|| Refused::bad("The only parameter is db, the number of a database"))?;
    }
    Ok(db.to_string())
}

fn decode(command: &OwnedRequest) -> Result<OwnedRequest, Refused> {
    let mut decoded = OwnedRequest::default();
    for word in command.as_request().iter() {
        let bytes = STANDARD.decode(word);
        decoded.push(&bytes.map_err(|_| Refused::bad("The words of a command must be in base64 here"))?);
    }
    Ok(decoded)
}

/// Refuses what changes something, unless the settings allow it. A command that does not exist is refused when it is run.
fn may_run(gateway: &Gateway, command: &OwnedRequest) -> Result<(), Refused> {
    if gateway.ctx.settings.load().network.http_console_writes {
        return Ok(());
    }
    match gateway.ctx.registry.resolve(&command.as_request()) {
        Ok(command) if !rest::is_harmless(command) => Err(Refused::new(
            StatusCode::FORBIDDEN,
            format!(
                "The console only reads: '{}' may change something. Set http-console-writes yes to allow it here",
                command.full_name.replace('|', " ")
            ),
        )),
        _ => Ok(()),
    }
}

fn write_reply(frame: &OwnedFrame, out: &mut Vec<u8>) {
    let mut tagged = |tag: &str, text: &str| {
        out.extend_from_slice(format!("{{\"{tag}\":").as_bytes());
        write_text(text, out);
        out.push(b'}');
    };
    match frame {
        OwnedFrame::Null => out.extend_from_slice(b"null"),
        OwnedFrame::Integer(integer) => {
            out.extend_from_slice(itoa::Buffer::new().format(*integer).as_bytes());
        }
        OwnedFrame::Error(line) => tagged("error", line),
        OwnedFrame::SimpleString(text) => tagged("status", &String::from_utf8_lossy(text)),
        OwnedFrame::BulkString(bytes) => tagged("text", &STANDARD.encode(bytes)),
        OwnedFrame::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_reply(item, out);
            }
            out.push(b']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart_by_their_tags() {
        let frame = OwnedFrame::Array(vec![
            OwnedFrame::Integer(-1),
            OwnedFrame::Null,
            OwnedFrame::SimpleString(b"OK".to_vec()),
            OwnedFrame::BulkString(b"\xff\x00".to_vec()),
            OwnedFrame::Error("ERR \"no\"".into()),
            OwnedFrame::Array(Vec::new()),
        ]);
        let mut out = Vec::new();
        write_reply(&frame, &mut out);
        let expected = r#"[-1,null,{"status":"OK"},{"text":"/wA="},{"error":"ERR \"no\""},[]]"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_database_is_a_number_and_the_only_parameter() {
        assert_eq!(database(Some("db=3")).unwrap(), "3");
        assert_eq!(database(None).unwrap(), "0");
        for wrong in ["db", "db=x", "bd=1", "db=1&x=2"] {
            assert!(database(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
