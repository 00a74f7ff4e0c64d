//! What every agent is told besides its note: that outside text is data, how to change files, how to finish.

use super::{fence, schema};
use crate::domain::{AgentConfig, EditFormat, Role};

/// The system prompt.
pub(super) fn system(agent: &AgentConfig) -> String {
    let role = match agent.role {
        Role::SpecWriter => "spec writer: you turn a vague request into a clear one",
        Role::Planner => "planner: you look at the repository and propose the work; you change nothing",
        Role::Coder => "coder: you change the files of a repository",
        Role::Tester => "tester: you add and update tests for a change; you do not change what is tested",
        Role::Reviewer => "reviewer: you judge a change; you change nothing",
    };
    format!(
        "You are `{}`, the {role}. Your work is checked by tools and people; say only what you have seen.\n\n{}\n",
        agent.name,
        fence::RULE
    )
}

/// How to work and finish, by role and edit format; appended to the agent's own prompt.
pub(super) fn suffix(role: Role, format: EditFormat) -> String {
    match (role.may_write(), format) {
        (_, EditFormat::Tools) => format!(
            "## How to finish\n\nWork by calling tools. When you are done, call the tool `finish` once; its arguments are \
             your result: {}. An answer without a tool call ends nothing.",
            result(role)
        ),
        (true, EditFormat::SearchReplace) => format!("{SEARCH_REPLACE}\n\n{READ_AND_NOTHING}"),
        (true, EditFormat::WholeFile) => format!("{WHOLE_FILE}\n\n{READ_AND_NOTHING}"),
        (false, _) => format!(
            "## How to answer\n\nAnswer with one JSON object in a fence that starts with ```json: {}. It must fit this JSON \
             Schema:\n\n{}\n\nIf you must see a file first, answer only with lines of the form `READ path`.",
            result(role),
            schema::of(role)
        ),
    }
}

/// How an external agent works and finishes, by role; appended to the agent's own prompt. `file` is where it may leave its
/// result.
pub(super) fn external(role: Role, file: &str) -> String {
    if role.may_write() {
        return "## How to work and finish\n\nYou are in the repository's folder. Change its files themselves. Do not commit, \
                push or ask: nobody answers while you work. Only what you leave in the files counts. When you are done, end \
                with a few sentences on what you did."
            .to_owned();
    }
    format!(
        "## How to answer\n\nChange no file of the repository. Your result is one JSON object: {}. Write it into the file \
         `{file}`, or, if you cannot write files, end with it as your last message in a fence that starts with ```json. It \
         must fit this JSON Schema:\n\n{}",
        result(role),
        schema::of(role)
    )
}

/// Stands above the rows that agents leave.
pub(super) const FOR_PEOPLE: &str = "## Done by people

People do these parts of the request themselves. Do not plan, do or change them, and do not count them as missing:";

/// Stands above the rows that a reviewer judges.
pub(super) const ROWS: &str = "## Rows of the phases

Judge each of these rows of the request as you judge an acceptance criterion: one entry in `criteria`, with the row as its \
`text`, for each line:";

fn result(role: Role) -> &'static str {
    match role {
        Role::Planner => "the plan",
        Role::Reviewer => "the review, with every acceptance criterion and row of the phases in `criteria`",
        Role::SpecWriter => "the draft",
        Role::Coder | Role::Tester => "`summary`, what you did in a few sentences",
    }
}

const SEARCH_REPLACE: &str = "## How to answer

Answer with one block for each change, in this form and with nothing else in the block:

path/of/the/file
<<<<<<< SEARCH
lines of the file exactly as they are, enough of them to be found only once
=======
the lines that replace them
>>>>>>> REPLACE

To make a new file leave the part above ======= empty. Paths are relative to the repository's root. Before the blocks say \
in one or two sentences what you change.";

const WHOLE_FILE: &str = "## How to answer

Answer with the whole new content of every file that you change or make, each in this form:

path/of/the/file
```
the complete file, every line of it; never leave out lines with a comment such as `rest of the code`
```

Paths are relative to the repository's root. Before the files say in one or two sentences what you change.";

const READ_AND_NOTHING: &str = "If you must see another file first, answer only with lines of the form `READ path`; it is \
shown to you and you answer again. If nothing needs to change, answer only with {\"summary\": \"why\"}.";
