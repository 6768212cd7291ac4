//! Decodes questions and encodes answers: header bits, EDNS (RFC 6891), truncation.

use crate::lookup::Reply;
use escale_base::limits::dns as limits;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::DNSClass;

/// A question that can be looked up.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) query: Query,
    pub(crate) recursion_desired: bool,
    pub(crate) checking_disabled: bool,
    pub(crate) dnssec_ok: bool,
    id: u16,
    /// The payload size of the client's EDNS; `None` without EDNS.
    payload: Option<u16>,
}

/// The result of decoding a packet.
pub(crate) enum Received {
    Question(Box<Question>),
    /// Answered without a look-up: a protocol error.
    Answer(Vec<u8>),
    /// Not answered at all: too short, or an answer itself (answering those would create loops).
    Ignored,
}

pub(crate) fn read(bytes: &[u8]) -> Received {
    let &[high, low, flags, ..] = bytes else { return Received::Ignored };
    let is_answer = flags & 0x80 != 0;
    if bytes.len() < 12 || is_answer {
        return Received::Ignored;
    }
    let id = u16::from_be_bytes([high, low]);
    let op = OpCode::from_u8((flags >> 3) & 0x0f);
    let recursion_desired = flags & 1 != 0;
    let error = |code| Received::Answer(bare_error(id, op, recursion_desired, code));
    if op != OpCode::Query {
        return error(ResponseCode::NotImp);
    }
    let Ok(mut message) = Message::from_vec(bytes) else { return error(ResponseCode::FormErr) };
    let mut queries = message.take_queries();
    let (Some(query), true) = (queries.pop(), queries.is_empty()) else {
        return error(ResponseCode::FormErr);
    };
    let edns = message.extensions().as_ref();
    let question = Question {
        recursion_desired,
        checking_disabled: message.checking_disabled(),
        dnssec_ok: edns.is_some_and(|e| e.flags().dnssec_ok),
        id,
        payload: edns.map(Edns::max_payload),
        query,
    };
    if edns.is_some_and(|e| e.version() != 0) {
        return Received::Answer(question.answer(Reply::code(ResponseCode::BADVERS), usize::from(u16::MAX)));
    }
    if question.query.query_class() != DNSClass::IN {
        return Received::Answer(question.answer(Reply::code(ResponseCode::Refused), usize::from(u16::MAX)));
    }
    Received::Question(Box::new(question))
}

impl Question {
    /// The most bytes that the client accepts over UDP.
    pub(crate) fn udp_bytes(&self) -> usize {
        self.payload.map_or(512, |payload| usize::from(payload).clamp(512, limits::UDP_ANSWER_BYTES))
    }

    /// The answer's bytes, at most `limit` of them. Additional records are left out first; if the rest is
    /// still too large, TC sends the client to TCP.
    pub(crate) fn answer(&self, reply: Reply, limit: usize) -> Vec<u8> {
        let is_referral = reply.answers.is_empty();
        let mut message = self.message(reply);
        if let Some(bytes) = fitting(&message, limit) {
            return bytes;
        }
        if !is_referral {
            message.take_additionals();
            if let Some(bytes) = fitting(&message, limit) {
                return bytes;
            }
        }
        message.set_truncated(true);
        message.take_answers();
        message.take_name_servers();
        message.take_additionals();
        fitting(&message, limit).unwrap_or_else(|| {
            bare_error(self.id, OpCode::Query, self.recursion_desired, ResponseCode::ServFail)
        })
    }

    fn message(&self, reply: Reply) -> Message {
        let mut message = Message::new();
        message
            .set_id(self.id)
            .set_message_type(MessageType::Response)
            .set_op_code(OpCode::Query)
            .set_authoritative(reply.authoritative)
            .set_recursion_desired(self.recursion_desired)
            .set_recursion_available(reply.recursion_available)
            .set_checking_disabled(self.checking_disabled)
            .set_response_code(reply.code)
            .add_query(self.query.clone());
        message.insert_answers(reply.answers);
        message.insert_name_servers(reply.authority);
        message.insert_additionals(reply.additional);
        if self.payload.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(limits::UDP_ANSWER_BYTES as u16).set_dnssec_ok(self.dnssec_ok);
            message.set_edns(edns);
        }
        message
    }
}

/// `None` if the message is larger than `limit`, or cannot be encoded.
fn fitting(message: &Message, limit: usize) -> Option<Vec<u8>> {
    message.to_vec().ok().filter(|bytes| bytes.len() <= limit)
}

/// A header alone, for questions that cannot be repeated.
fn bare_error(id: u16, op: OpCode, recursion_desired: bool, code: ResponseCode) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let flags = 0x80 | (u8::from(op) << 3) | u8::from(recursion_desired);
    vec![high, low, flags, code.low(), 0, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Arbitrary bytes never cause a panic; an answer has the id of its question.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            answers_well(&bytes)?;
        }

        /// The same for bytes that begin like a question.
        #[test]
        fn nearly_a_question(
            id in any::<[u8; 2]>(), counts in any::<[u8; 4]>(), body in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let [qd, an, ns, ar] = counts.map(|c| c % 3);
            let mut bytes = vec![id[0], id[1], 1, 0, 0, qd, 0, an, 0, ns, 0, ar];
            bytes.extend(body);
            answers_well(&bytes)?;
        }
    }

    fn answers_well(bytes: &[u8]) -> Result<(), TestCaseError> {
        let answer = match read(bytes) {
            Received::Ignored => return Ok(()),
            Received::Answer(answer) => answer,
            Received::Question(q) => q.answer(Reply::code(ResponseCode::NXDomain), q.udp_bytes()),
        };
        prop_assert_eq!(&answer[..2], &bytes[..2]);
        prop_assert!(answer[2] & 0x80 != 0);
        prop_assert!(Message::from_vec(&answer).is_ok());
        Ok(())
    }
}
