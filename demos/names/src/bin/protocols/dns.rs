//! DNS, by UDP and by TCP: the words are TXT records of NAME.words.test (RFC 1035), and an update leaves one
//! (RFC 2136). The wire format is a library's; here is what the server answers.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use futures_lite::AsyncReadExt;
use futures_lite::future::or;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use oneloop::net::{TcpStream, UdpSocket};
use oneloop::time::timeout;
use oneloop_demos::server::Client;

use crate::Board;
use crate::house::House;

const ZONE: &str = "words.test.";
/// How long an answer may be used again, in seconds. Words change.
const TTL: u32 = 0;
/// How long a message may be that comes, and an answer by UDP, which should fit into one packet.
const MESSAGE_MAX: usize = 4096;
const DATAGRAM_MAX: u16 = 1232;

/// Answers datagrams, for ever; returns only if the socket has become useless.
pub(crate) async fn answer_datagrams(socket: &UdpSocket, house: &House) -> io::Result<()> {
    let mut buffer = [0; MESSAGE_MAX];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) => {
                if let Some(answer) = answer(&buffer[..length], &house.board, "dns by udp", true) {
                    // Somebody who is not there to take it is no concern of the others.
                    let _ = socket.send_to(&answer, peer).await;
                }
            }
            // The kernel tells what became of an earlier answer.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
    }
}

/// Answers a connection: each message has its length before it.
pub(crate) async fn serve(guest: Client, house: Rc<House>) -> io::Result<()> {
    let stream = &*guest.stream;
    loop {
        let mut length = [0; 2];
        let stopped = async {
            house.stopped().await;
            Ok(0)
        };
        let begun = timeout(house.args.idle, or(stream.read(&mut length[..1]), stopped)).await;
        if begun.unwrap_or(Ok(0))? == 0 {
            return Ok(());
        }
        let mut message = [0; MESSAGE_MAX];
        let message = house.patiently(read_message(stream, &mut length, &mut message)).await?;
        let Some(answer) = answer(message, &house.board, "dns by tcp", false) else { return Ok(()) };
        guest.was_heard();
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?.to_be_bytes();
        house.patiently(stream.write_all(&[&length, answer.as_slice()].concat())).await?;
    }
}

/// Reads the rest of a length, and the message that it announces.
async fn read_message<'a>(mut stream: &TcpStream, length: &mut [u8; 2], message: &'a mut [u8]) -> io::Result<&'a [u8]> {
    stream.read_exact(&mut length[1..]).await?;
    let length = usize::from(u16::from_be_bytes(*length));
    let message =
        message.get_mut(..length).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "too long a message"))?;
    stream.read_exact(message).await?;
    Ok(message)
}

/// The answer to a message, if it deserves one.
fn answer(message: &[u8], board: &Board, door: &str, is_datagram: bool) -> Option<Vec<u8>> {
    let asked = match Message::from_vec(message) {
        Ok(asked) => asked,
        // It has a number, and is no answer itself: two servers would talk for ever.
        Err(_) if message.len() >= 12 && message[2] & 0x80 == 0 => {
            let number = u16::from_be_bytes([message[0], message[1]]);
            return Message::error_msg(number, OpCode::Query, ResponseCode::FormErr).to_vec().ok();
        }
        Err(_) => return None,
    };
    if asked.message_type() == MessageType::Response {
        return None;
    }
    let mut reply = Message::new();
    reply.set_id(asked.id()).set_message_type(MessageType::Response).set_op_code(asked.op_code());
    reply.set_recursion_desired(asked.recursion_desired());
    reply.add_queries(asked.queries().iter().take(1).cloned());
    if asked.extensions().is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM_MAX).set_version(0);
        reply.set_edns(edns);
    }
    let code = match asked.op_code() {
        _ if asked.version() > 0 => ResponseCode::BADVERS,
        OpCode::Query => query(&asked, &mut reply, board, door),
        OpCode::Update => update(&asked, board, door),
        _ => ResponseCode::NotImp,
    };
    reply.set_response_code(code);
    let wire = reply.to_vec().ok()?;
    let most = asked.max_payload().min(DATAGRAM_MAX);
    if is_datagram && wire.len() > most.into() { reply.truncate().to_vec().ok() } else { Some(wire) }
}

/// Answers a question.
fn query(asked: &Message, reply: &mut Message, board: &Board, door: &str) -> ResponseCode {
    let [question] = asked.queries() else { return ResponseCode::FormErr };
    let kind = question.query_type();
    let Some(name) = name_in_zone(question.name()) else { return ResponseCode::Refused };
    if question.query_class() != DNSClass::IN || matches!(kind, RecordType::AXFR | RecordType::IXFR) {
        return ResponseCode::Refused;
    }
    reply.set_authoritative(true);
    let wants = |other| kind == other || kind == RecordType::ANY;
    let word = if name.is_empty() { None } else { board.find(door, &name) };
    match word {
        Some(word) if wants(RecordType::TXT) => {
            reply.add_answer(record(question, RData::TXT(TXT::new(vec![word]))));
        }
        None if name.is_empty() && wants(RecordType::SOA) => {
            reply.add_answer(record(question, authority()));
        }
        None if name.is_empty() && wants(RecordType::NS) => {
            reply.add_answer(record(question, RData::NS(NS(zone()))));
        }
        _ => {
            reply.add_name_server(Record::from_rdata(zone(), TTL, authority()));
            if word.is_none() && !name.is_empty() {
                return ResponseCode::NXDomain;
            }
        }
    }
    ResponseCode::NoError
}

/// Leaves and removes words: all of the message, or nothing.
fn update(asked: &Message, board: &Board, door: &str) -> ResponseCode {
    let is_zone = |zone: &Query| zone.query_type() == RecordType::SOA && zone.query_class() == DNSClass::IN;
    let [zone] = asked.queries() else { return ResponseCode::FormErr };
    if !is_zone(zone) {
        return ResponseCode::FormErr;
    }
    if name_in_zone(zone.name()).is_none_or(|name| !name.is_empty()) {
        return ResponseCode::NotAuth;
    }
    if !asked.answers().is_empty() {
        return ResponseCode::NotImp; // conditions
    }
    let mut changes = Vec::new();
    for record in asked.name_servers() {
        let Some(name) = name_in_zone(record.name()) else { return ResponseCode::NotZone };
        let word = match (record.dns_class(), record.data()) {
            (DNSClass::IN, RData::TXT(text)) => Some(text.txt_data().concat()),
            (DNSClass::IN, _) => return ResponseCode::Refused,
            (DNSClass::ANY | DNSClass::NONE, _) => None,
            _ => return ResponseCode::FormErr,
        };
        let word = word.map(|word| String::from_utf8_lossy(&word).into_owned());
        if crate::good_name(&name).is_err() || word.as_ref().is_some_and(|word| word.len() > crate::WORD_MAX) {
            return ResponseCode::Refused;
        }
        changes.push((name, word));
    }
    for (name, word) in changes {
        match word {
            Some(word) if board.leave(door, &name, &word).is_err() => return ResponseCode::Refused,
            Some(_) => {}
            None => board.remove(door, &name),
        }
    }
    ResponseCode::NoError
}

/// The part of a name below the zone; it is empty for the zone itself. None for names of others.
fn name_in_zone(name: &Name) -> Option<String> {
    let (zone, labels) = (zone(), usize::from(name.num_labels()));
    if !zone.zone_of(name) || labels > 3 {
        return None;
    }
    let first = name.iter().next().filter(|_| labels == 3).unwrap_or_default();
    Some(String::from_utf8_lossy(first).into_owned())
}

fn zone() -> Name {
    Name::from_ascii(ZONE).unwrap_or_default()
}

fn record(question: &Query, data: RData) -> Record {
    Record::from_rdata(question.name().clone(), TTL, data)
}

fn authority() -> RData {
    RData::SOA(SOA::new(zone(), zone(), 1, 3600, 600, 86400, TTL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_of_anybody_makes_the_server_panic() {
        let board = Board::default();
        board.leave("test", "greeting", "hello").unwrap();
        let mut good = Message::new();
        good.set_id(7).add_query(Query::query(Name::from_ascii("greeting.words.test.").unwrap(), RecordType::TXT));
        let good = good.to_vec().unwrap();
        let mut random = 1_u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 16) as u8
        };
        for round in 0..200_000 {
            let mut message = good.clone();
            for _ in 0..=round % 4 {
                let at = usize::from(next()) % message.len();
                message[at] = next();
            }
            message.truncate(message.len() - usize::from(next()) % (1 + round % 5));
            if let Some(answer) = answer(&message, &board, "test", round % 2 == 0) {
                assert!(answer.len() <= MESSAGE_MAX && answer[..2] == message[..2] && answer[2] & 0x80 != 0);
            }
        }
    }

    #[test]
    fn an_answer_is_not_answered_and_an_empty_message_neither() {
        let board = Board::default();
        let mut message = Message::new();
        message.set_message_type(MessageType::Response);
        assert_eq!(answer(&message.to_vec().unwrap(), &board, "test", true), None);
        let mut broken = [0xff; 40];
        assert_eq!(answer(&broken, &board, "test", true), None);
        broken[2] = 0;
        assert!(answer(&broken, &board, "test", true).is_some());
        assert_eq!(answer(&[], &board, "test", true), None);
        assert_eq!(answer(&[0; 11], &board, "test", true), None);
    }
}
