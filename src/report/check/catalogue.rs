//! Every rule by its code. `docs/check.md` has a section for each.

/// A rule of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub what: &'static str,
}

/// All rules, sorted by code.
pub const RULES: [Rule; 49] = [
    rule("bad-branch", "`target_branch` is no branch name."),
    rule("bad-budget", "A budget is not a number."),
    rule("bad-checkbox", "A checkbox is neither true nor false."),
    rule("bad-id", "`id` is not a prefix with digits."),
    rule("bad-name", "A note's file name cannot be the name of what it defines."),
    rule("bad-priority", "`priority` is not a number from 1 to 4."),
    rule("bad-property", "A property that ado-vault writes was changed into something else."),
    rule("bad-repo", "`repo` is no text."),
    rule("bad-risk", "`risk` is not low, medium or high."),
    rule("bad-title", "`title` is no text."),
    rule("bad-value", "A value of a settings, policy or registry note has the wrong type or range."),
    rule("broken-block", "A link names a block that its note has not."),
    rule("broken-heading", "A link names a heading that its note has not."),
    rule("broken-link", "A link leads to no file."),
    rule("conflict-copy", "A sync program left a second version of a note."),
    rule("conflict-markers", "Git's conflict markers stand in a note."),
    rule("dependency-cycle", "Features wait for each other in a circle."),
    rule("depends-on-malformed", "An entry of `depends_on` names no feature."),
    rule("duplicate-id", "Two notes have the same id."),
    rule("duplicate-key", "A property is there twice."),
    rule("duplicate-name", "A feature note has the file name of another note."),
    rule("file-name", "A file's name cannot be used in a vault."),
    rule("journal-gap", "A run's journal has lines missing or changed."),
    rule("link-leaves-vault", "A symbolic link leads out of the vault."),
    rule("links-not-mended", "A file's links could not be mended after a move."),
    rule("marker-damage", "The markers of a block are missing, doubled or crossed."),
    rule("missing-agent", "No agent has a role that a run needs."),
    rule("missing-id", "A feature note has no id yet."),
    rule("missing-prompt", "An agent's note has no text."),
    rule("missing-property", "A note lacks a property that it must have."),
    rule("no-model", "No model is there for an agent."),
    rule("not-a-file", "Something with the name of a note is no regular file."),
    rule("not-utf8", "A note is not UTF-8."),
    rule("note-too-large", "A note is over 1 MiB."),
    rule("number-like-version", "A version is written as a number and loses its last zero."),
    rule("scalar-list", "`tags`, `aliases` or `cssclasses` is a text instead of a list."),
    rule("schema", "A property does not fit the schema of feature notes."),
    rule("secret-in-note", "Something that looks like a key or password stands in a note."),
    rule("tera-in-template", "An Obsidian template holds what only agents' prompts understand."),
    rule("torn-journal-line", "A run's journal ends in half a line."),
    rule("unclosed-front-matter", "Front matter begins and never ends."),
    rule("unknown-dependency", "`depends_on` names a feature that is not there."),
    rule("unknown-model", "A model is named that has no note."),
    rule("unknown-property", "A settings, policy or registry note has a property that is not known."),
    rule("unknown-repository", "A repository is named that has no note."),
    rule("unknown-status", "`status` is no status."),
    rule("unknown-type", "`type` is no type of feature."),
    rule("unreadable", "A file or folder cannot be read."),
    rule("yaml-invalid", "The front matter is not YAML."),
];

const fn rule(code: &'static str, what: &'static str) -> Rule {
    Rule { code, what }
}
