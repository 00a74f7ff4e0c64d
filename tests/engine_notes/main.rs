//! What becomes of notes when the whole engine works on them: drafts, rows of people, recordings. Agents' words are
//! given; files, git, worktrees and pull requests are real.

mod place;
mod recording;
mod rows;
mod specify;
