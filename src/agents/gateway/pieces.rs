//! An answer as server-sent events, while it comes: what of it was told already, and what its dialect says next.

use std::sync::Arc;

use super::question::{Dialect, Question, Said};
use super::refusal::Refusal;
use super::{chat, gemini, messages, responses};
use crate::models::ChatReply;

/// One answer on its way to the agent.
pub(super) struct Pieces {
    dialect: Dialect,
    question: Arc<Question>,
    id: String,
    at: i64,
    is_begun: bool,
    /// The words that were told.
    text: String,
    /// Number of the next event, where the dialect counts them.
    sequence: u64,
}

impl Pieces {
    /// `at` are seconds since 1970.
    pub(super) fn new(dialect: Dialect, question: Arc<Question>, id: String, at: i64) -> Self {
        Self { dialect, question, id, at, is_begun: false, text: String::new(), sequence: 0 }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn question(&self) -> Arc<Question> {
        self.question.clone()
    }

    /// The next words.
    pub(super) fn words(&mut self, words: &str) -> String {
        let mut out = self.begin();
        let is_first = self.text.is_empty();
        self.text.push_str(words);
        out.push_str(&self.write(&ChatReply::default(), |dialect, said, sequence| match dialect {
            Dialect::Chat => chat::words(said, words),
            Dialect::Responses => responses::words(said, sequence, words, is_first),
            Dialect::Messages => messages::words(words, is_first),
            Dialect::Gemini => gemini::words(said, words),
        }));
        out
    }

    /// Everything that is left of the answer: its words, if none were told yet, its calls, its end.
    pub(super) fn end(mut self, reply: &ChatReply) -> String {
        let mut out = self.begin();
        let is_silent = reply.text.is_empty() && !reply.tool_calls.is_empty();
        if self.text.is_empty() && !is_silent {
            out.push_str(&self.words(&reply.text));
        }
        let reply = ChatReply { text: self.text.clone(), ..reply.clone() };
        let has_words = !is_silent || !self.text.is_empty();
        out.push_str(&self.write(&reply, |dialect, said, sequence| match dialect {
            Dialect::Chat => chat::end(said),
            Dialect::Responses => responses::end(said, sequence),
            Dialect::Messages => messages::end(said, has_words),
            Dialect::Gemini => gemini::end(said),
        }));
        out
    }

    /// The end of an answer that broke off.
    pub(super) fn broken(mut self, refusal: &Refusal) -> String {
        let mut out = self.begin();
        let reply = ChatReply { text: self.text.clone(), ..ChatReply::default() };
        let body = refusal.body(self.dialect);
        out.push_str(&self.write(&reply, |dialect, said, sequence| match dialect {
            Dialect::Chat | Dialect::Gemini => super::question::event(None, &body),
            Dialect::Responses => responses::failed(said, sequence, &body),
            Dialect::Messages => super::question::event(Some("error"), &body),
        }));
        out
    }

    fn begin(&mut self) -> String {
        if std::mem::replace(&mut self.is_begun, true) {
            return String::new();
        }
        self.write(&ChatReply::default(), |dialect, said, sequence| match dialect {
            Dialect::Chat => chat::begin(said),
            Dialect::Responses => responses::begin(said, sequence),
            Dialect::Messages => messages::begin(said),
            Dialect::Gemini => String::new(),
        })
    }

    fn write(
        &mut self,
        reply: &ChatReply,
        write: impl FnOnce(Dialect, &Said<'_>, &mut u64) -> String,
    ) -> String {
        let said = Said { question: &self.question, reply, id: self.id.clone(), at: self.at };
        write(self.dialect, &said, &mut self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::question::samples::{data, reply};
    use super::super::question::word;
    use super::*;

    const DIALECTS: [Dialect; 4] = [Dialect::Chat, Dialect::Responses, Dialect::Messages, Dialect::Gemini];

    fn pieces(dialect: Dialect) -> Pieces {
        let question = Question { model: "m".into(), usage_in_stream: true, ..Question::default() };
        Pieces::new(dialect, Arc::new(question), "7".into(), 5)
    }

    /// The words that a client of the dialect puts together.
    fn heard(dialect: Dialect, stream: &str) -> String {
        let place = match dialect {
            Dialect::Chat => "/choices/0/delta/content",
            Dialect::Messages => "/delta/text",
            Dialect::Responses => "/delta",
            Dialect::Gemini => "/candidates/0/content/parts/0/text",
        };
        let is_words =
            |event: &Value| dialect != Dialect::Responses || word(event, "type").contains("output_text");
        let events = data(stream).into_iter().filter(is_words);
        events.filter_map(|event| Some(event.pointer(place)?.as_str()?.to_owned())).collect()
    }

    #[test]
    fn words_in_pieces_are_the_same_answer_as_in_one() {
        for dialect in DIALECTS {
            let mut live = pieces(dialect);
            let first = live.words("And");
            assert!(first.contains("And"), "the first words do not wait for the next: {first}");
            let stream = [first, live.words(" b."), live.end(&reply())].concat();
            assert_eq!(heard(dialect, &stream), "And b.", "{dialect:?}");
            let at_once = pieces(dialect).end(&reply());
            assert_eq!(heard(dialect, &at_once), "And b.", "{dialect:?}");
            let (ends, end) = (data(&stream), data(&at_once));
            let last = |events: &[Value]| {
                let mut last = events.last().unwrap().clone();
                last.as_object_mut().unwrap().remove("sequence_number");
                last
            };
            assert_eq!(last(&ends), last(&end), "{dialect:?}");
        }
    }

    #[test]
    fn an_answer_that_breaks_off_ends_in_the_dialect_s_own_error() {
        let refusal = Refusal::of_question("it broke");
        for (dialect, begins) in [
            (Dialect::Chat, r#"data: {"error":"#),
            (Dialect::Responses, "event: response.failed\n"),
            (Dialect::Messages, "event: error\n"),
            (Dialect::Gemini, r#"data: {"error":"#),
        ] {
            let mut live = pieces(dialect);
            live.words("half");
            let end = live.broken(&refusal);
            assert!(end.starts_with(begins) && end.contains("it broke") && !end.contains("[DONE]"), "{end}");
        }
    }

    #[test]
    fn an_empty_answer_has_an_empty_text_and_a_silent_one_none() {
        let kinds = |dialect, reply: &ChatReply| -> Vec<String> {
            data(&pieces(dialect).end(reply)).iter().map(|event| word(event, "type").to_owned()).collect()
        };
        let empty = ChatReply { ended: "stop".into(), ..ChatReply::default() };
        assert!(kinds(Dialect::Responses, &empty).contains(&"response.output_text.done".to_owned()));
        let silent = ChatReply { text: String::new(), ..reply() };
        assert!(!kinds(Dialect::Responses, &silent).contains(&"response.output_text.done".to_owned()));
        let calls = data(&pieces(Dialect::Messages).end(&silent));
        assert_eq!(calls[1]["content_block"]["type"], json!("tool_use"), "{calls:?}");
        assert_eq!(calls[1]["index"], json!(0));
    }
}
