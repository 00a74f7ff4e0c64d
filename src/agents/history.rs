//! A conversation and its size. Near the model's limit old outputs give way to a line that says so.

use serde_json::Value;

use crate::domain::AgentConfig;
use crate::models::{CallContext, ChatRequest, Message, ToolCall, ToolSpec};

/// Bytes of text taken for one token.
const BYTES_PER_TOKEN: f64 = 3.5;
/// Part of the context that may be full before old outputs go.
const FULL: f64 = 0.75;
/// Newest messages that are kept whole.
const KEPT: usize = 4;
/// Tool calls that a conversation begun anew is told of.
const MOST_TOLD: usize = 60;
/// How a conversation that became too long begins anew.
const RESTARTED: &str = "This conversation became too long and begins anew here. You have worked on the task already: what \
you changed is in the files, read them before you go on. These are the calls that you made, oldest first:";
/// Shorter texts stay.
const WORTH_BYTES: usize = 400;

/// A conversation under way.
pub(super) struct History {
    request: ChatRequest,
    context_tokens: u64,
}

impl History {
    pub(super) fn new(
        agent: &AgentConfig,
        context: CallContext,
        system: String,
        prompt: String,
        tools: Vec<ToolSpec>,
        limits: (u64, u64),
    ) -> Self {
        let (context_tokens, max_output_tokens) = limits;
        let request = ChatRequest {
            context,
            system,
            messages: vec![Message::User { text: prompt }],
            tools,
            temperature: agent.temperature,
            max_output_tokens,
        };
        Self { request, context_tokens }
    }

    /// The request of this turn, made to fit the context.
    pub(super) fn request(&mut self, turn: u32) -> &ChatRequest {
        self.request.context.turn = turn;
        #[expect(clippy::cast_precision_loss, reason = "an estimate of tokens")]
        let most = self.context_tokens as f64 * FULL * BYTES_PER_TOKEN;
        self.compress(most, KEPT);
        &self.request
    }

    /// The request again after the provider called it too long: everything old goes.
    pub(super) fn shortened(&mut self) -> &ChatRequest {
        self.compress(0.0, 1);
        &self.request
    }

    /// The request as if the conversation began now: the task, and what was done so far. What the agent changed is in its
    /// worktree. `None` where nothing was done: the task itself is too long.
    pub(super) fn restarted(&mut self) -> Option<&ChatRequest> {
        let mut done: Vec<String> = vec![];
        for message in &self.request.messages {
            match message {
                Message::Assistant { tool_calls, .. } => done.extend(tool_calls.iter().map(call_line)),
                Message::User { text } if text.starts_with(RESTARTED) => {
                    done.extend(text.lines().filter(|line| line.starts_with("- ")).map(str::to_owned));
                }
                _ => {}
            }
        }
        if done.is_empty() {
            return None;
        }
        let hidden = done.len().saturating_sub(MOST_TOLD);
        let mut text = format!("{RESTARTED}\n");
        if hidden > 0 {
            text.push_str(&format!("\n({hidden} earlier calls are not listed)"));
        }
        for line in done.iter().skip(hidden) {
            text.push_str(&format!("\n{line}"));
        }
        self.request.messages.truncate(1);
        self.request.messages.push(Message::User { text });
        Some(&self.request)
    }

    /// The model's context in tokens.
    pub(super) fn context(&self) -> u64 {
        self.context_tokens
    }

    pub(super) fn push(&mut self, message: Message) {
        self.request.messages.push(message);
    }

    /// Replaces outputs, oldest first, until the conversation has at most `most` bytes. The first message, which is the
    /// task, and the newest `kept` stay.
    fn compress(&mut self, most: f64, kept: usize) {
        let last = self.request.messages.len().saturating_sub(kept);
        for index in 1..last.max(1) {
            #[expect(clippy::cast_precision_loss, reason = "an estimate of tokens")]
            if self.bytes() as f64 <= most {
                return;
            }
            if let Some(message) = self.request.messages.get_mut(index) {
                shorten(message);
            }
        }
    }

    fn bytes(&self) -> usize {
        let messages: usize = self.request.messages.iter().map(message_bytes).sum();
        let tools: usize = self
            .request
            .tools
            .iter()
            .map(|tool| tool.name.len() + tool.description.len() + tool.parameters.to_string().len())
            .sum();
        self.request.system.len() + messages + tools
    }
}

/// A tool call in a line: its name and its short arguments.
fn call_line(call: &ToolCall) -> String {
    let fields = call.arguments.as_object().into_iter().flatten();
    let short = fields.filter_map(|(name, value)| {
        let value = crate::note::plain(&value.to_string()).replace('\n', " ");
        (value.len() <= 80).then(|| format!(" {name} {value}"))
    });
    let name: String = crate::note::plain(&call.name).replace('\n', " ").chars().take(60).collect();
    format!("- {name}{}", short.collect::<String>())
}

fn message_bytes(message: &Message) -> usize {
    match message {
        Message::User { text } => text.len(),
        Message::Assistant { text, tool_calls } => {
            text.len() + tool_calls.iter().map(|call| call.arguments.to_string().len() + 40).sum::<usize>()
        }
        Message::Tool { content, .. } => content.len() + 40,
    }
}

fn shorten(message: &mut Message) {
    match message {
        Message::Tool { name, content, .. } if content.len() > WORTH_BYTES => {
            *content = format!(
                "[the output of `{name}`, {} lines, was removed to save room; call the tool again if it is needed]",
                content.lines().count()
            );
        }
        Message::User { text } if text.len() > WORTH_BYTES => {
            *text = "[files shown here were removed to save room; ask again if they are needed]".to_owned();
        }
        Message::Assistant { text, tool_calls } => {
            if text.len() > WORTH_BYTES * 4 {
                *text = "[a long answer was removed to save room]".to_owned();
            }
            for call in tool_calls {
                let Value::Object(arguments) = &mut call.arguments else { continue };
                for value in arguments.values_mut() {
                    if let Value::String(text) = value
                        && text.len() > WORTH_BYTES
                    {
                        *text = format!("[{} bytes removed to save room]", text.len());
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Step, StepKey};

    fn history(context_tokens: u64, outputs: usize) -> History {
        let agent: AgentConfig =
            serde_json::from_value(serde_json::json!({"name": "C", "role": "coder"})).unwrap();
        let context = CallContext { key: StepKey::new(Step::Code, 1), agent: agent.name.clone(), turn: 0 };
        let mut history = History::new(
            &agent,
            context,
            String::new(),
            "the task ".repeat(100),
            vec![],
            (context_tokens, 100),
        );
        for number in 0..outputs {
            let id = number.to_string();
            let call =
                ToolCall { id: id.clone(), name: "read".into(), arguments: serde_json::json!({"path": "a"}) };
            history.push(Message::Assistant { text: String::new(), tool_calls: vec![call] });
            history.push(Message::Tool { call_id: id, name: "read".into(), content: "line\n".repeat(200) });
        }
        history
    }

    fn removed(request: &ChatRequest) -> Vec<bool> {
        request
            .messages
            .iter()
            .filter_map(|message| match message {
                Message::Tool { content, .. } => Some(content.contains("was removed")),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_oldest_outputs_go_first_and_only_as_many_as_needed() {
        let mut history = history(2_000, 6);
        let request = history.request(7);
        assert_eq!(removed(request), [true, true, true, false, false, false]);
        assert_eq!(request.context.turn, 7);
        assert!(matches!(&request.messages[0], Message::User { text } if text.starts_with("the task")));
    }

    #[test]
    fn a_conversation_with_room_is_left_alone() {
        assert_eq!(removed(history(100_000, 6).request(1)), [false; 6]);
    }

    #[test]
    fn a_conversation_that_begins_anew_holds_the_task_and_what_was_called_each_once() {
        let mut history = history(100_000, 70);
        let told = |request: &ChatRequest| match request.messages.as_slice() {
            [Message::User { text: task }, Message::User { text }] if task.starts_with("the task") => {
                text.clone()
            }
            other => panic!("{other:?}"),
        };
        let first = told(history.restarted().unwrap());
        assert!(first.contains("(10 earlier calls are not listed)"), "{first}");
        assert_eq!(first.lines().filter(|line| *line == "- read path \"a\"").count(), 60, "{first}");
        let second = told(history.restarted().unwrap());
        assert_eq!(second.lines().filter(|line| *line == "- read path \"a\"").count(), 60, "{second}");
    }

    #[test]
    fn after_an_overflow_only_the_newest_stays() {
        assert_eq!(removed(history(100_000, 3).shortened()), [true, true, false]);
    }
}
