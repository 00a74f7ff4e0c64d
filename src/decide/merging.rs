//! Which changes may merge by themselves: what a change is, judged by its paths and its size alone, and what never does
//! whatever the policy says.
//!
//! Does not know whether the forge would let it.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::domain::{
    ApprovalPolicy, ChangeSet, FeatureType, FeatureView, Level, MergeClass, MergePolicy, RunState, Snapshot,
    sensitive_globs,
};

/// Access, money, migrations, infrastructure, CI, secrets, and what instructs agents.
const NEVER: [&str; 62] = [
    "**/auth/**",
    "**/auth.*",
    "**/*authent*",
    "**/*authoriz*",
    "**/*login*",
    "**/*password*",
    "**/*permission*",
    "**/*session*",
    "**/oauth*/**",
    "**/crypto/**",
    "**/security/**",
    "**/billing/**",
    "**/*billing*",
    "**/payment*/**",
    "**/*payment*",
    "**/*invoice*",
    "**/migrations/**",
    "**/migrate/**",
    "**/*migration*",
    "**/*.sql",
    "**/infra/**",
    "**/infrastructure/**",
    "**/deploy*/**",
    "**/terraform/**",
    "**/*.tf",
    "**/*.tfvars",
    "**/helm/**",
    "**/k8s/**",
    "**/kubernetes/**",
    "**/ansible/**",
    "**/*Dockerfile*",
    "**/docker-compose*",
    "**/compose.y*ml",
    ".github/**",
    ".gitlab*",
    ".gitlab/**",
    ".circleci/**",
    ".forgejo/**",
    ".gitea/**",
    ".buildkite/**",
    "**/azure-pipelines*",
    "**/Jenkinsfile*",
    ".travis.yml",
    "**/CODEOWNERS",
    "**/.gitattributes",
    "**/.gitmodules",
    "**/.githooks/**",
    "**/.husky/**",
    "**/*secret*",
    "**/*credential*",
    "**/.env*",
    "**/.npmrc",
    "**/.netrc",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/AGENTS.md",
    "**/CLAUDE.md",
    "**/GEMINI.md",
    "**/.cursor*",
    "**/.cursor/**",
    "**/SKILL.md",
];
/// What is read by people alone. MDX runs, and text files may be manifests.
const DOCUMENTS: [&str; 7] = [
    "**/*.md",
    "**/*.markdown",
    "**/*.rst",
    "**/*.adoc",
    "**/docs/**/*.{png,jpg,jpeg,gif,webp}",
    "{LICENSE,LICENSE-MIT,LICENSE-APACHE,LICENCE,COPYING,NOTICE,AUTHORS}",
    "{LICENSE,LICENSE-MIT,LICENSE-APACHE,LICENCE,COPYING,NOTICE,AUTHORS}.txt",
];

static FORBIDDEN: LazyLock<GlobSet> = LazyLock::new(|| globs(&NEVER));
static DOCUMENTATION: LazyLock<GlobSet> = LazyLock::new(|| globs(&DOCUMENTS));

/// Why the change may merge by itself, in words; `None` where a human merges it. The review's approval is the caller's to
/// see.
pub(super) fn by_itself(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<ByItself> {
    let (change, triage) = (run.change.as_ref()?, run.triage.as_ref()?);
    let policy = &snapshot.config.approvals;
    if triage.risk == Level::High || change.files.is_empty() || is_forbidden(snapshot, run, change) {
        return None;
    }
    let is_low = triage.risk == Level::Low;
    let is_class = |class: &&MergeClass| is_of(**class, change, view.feature.kind(), is_low, policy);
    if let Some(class) = policy.auto_merge.iter().find(is_class) {
        let needs_checks = *class == MergeClass::Dependencies;
        return Some(ByItself { why: format!("the change is {class}"), needs_checks });
    }
    let by_risk = policy.merge == MergePolicy::LowRisk && is_low;
    by_risk.then(|| ByItself { why: "the risk is low".to_owned(), needs_checks: false })
}

/// A change that merges by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ByItself {
    pub why: String,
    /// Whether checks of the forge must have passed; otherwise there may also be none.
    pub needs_checks: bool,
}

fn is_of(
    class: MergeClass,
    change: &ChangeSet,
    kind: FeatureType,
    is_low: bool,
    policy: &ApprovalPolicy,
) -> bool {
    let mut paths = change.files.iter().map(|file| file.path.as_str());
    match class {
        MergeClass::Documentation => paths.all(|path| DOCUMENTATION.is_match(path)),
        MergeClass::Formatting => change.formatting,
        MergeClass::Dependencies => kind == FeatureType::Dependency && change.only_versions,
        MergeClass::Small => {
            is_low
                && change.lines() <= policy.small_diff_lines
                && change.files.len() as u64 <= policy.small_diff_files
        }
    }
}

fn is_forbidden(snapshot: &Snapshot, run: &RunState, change: &ChangeSet) -> bool {
    let sensitive = sensitive_globs(&snapshot.config.sensitive_paths(Some(&run.repo)));
    change.files.iter().any(|file| FORBIDDEN.is_match(&file.path) || sensitive.is_match(&file.path))
}

fn globs(patterns: &[&str]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).case_insensitive(true).build().expect("the pattern is a literal"));
    }
    set.build().expect("the patterns are literals")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChangedFile, GitId};

    fn change(paths: &[&str], lines: u64) -> ChangeSet {
        let id = GitId("a".into());
        let file = |path: &&str| ChangedFile { path: (*path).to_owned(), added: lines, removed: 0 };
        ChangeSet {
            commit: id.clone(),
            tree: id.clone(),
            base: id,
            files: paths.iter().map(file).collect(),
            summary: String::new(),
            formatting: false,
            only_versions: false,
            findings: vec![],
        }
    }

    fn is(class: MergeClass, paths: &[&str], kind: FeatureType) -> bool {
        is_of(class, &change(paths, 10), kind, true, &ApprovalPolicy::default())
    }

    #[test]
    fn documentation_is_what_people_alone_read() {
        for (paths, expected) in [
            (&["README.md", "docs/guide/start.rst"][..], true),
            (&["docs/img/a.png", "LICENSE", "LICENSE-MIT", "NOTICE.txt"], true),
            (&["docs/conf.py"], false),
            (&["README.md", "src/lib.rs"], false),
            (&["docs/requirements.txt"], false),
            (&["docs/start.mdx"], false),
            (&["license.py"], false),
            (&["license/check.rs"], false),
            (&["CMakeLists.txt"], false),
        ] {
            assert_eq!(is(MergeClass::Documentation, paths, FeatureType::Docs), expected, "{paths:?}");
        }
    }

    #[test]
    fn dependencies_are_versions_alone_of_a_request_for_them() {
        use FeatureType::{Dependency, Feature};
        for (only_versions, kind, expected) in
            [(true, Dependency, true), (true, Feature, false), (false, Dependency, false)]
        {
            let change = ChangeSet { only_versions, ..change(&["Cargo.toml", "Cargo.lock"], 1) };
            let policy = ApprovalPolicy::default();
            assert_eq!(is_of(MergeClass::Dependencies, &change, kind, true, &policy), expected);
        }
    }

    #[test]
    fn small_is_few_lines_in_few_files_of_low_risk() {
        let policy = ApprovalPolicy::default();
        let small = |paths: &[&str], lines, is_low| {
            is_of(MergeClass::Small, &change(paths, lines), FeatureType::Bug, is_low, &policy)
        };
        assert!(small(&["src/a.rs"], 50, true));
        assert!(!small(&["src/a.rs"], 51, true));
        assert!(!small(&["src/a.rs"], 1, false));
        assert!(!small(&["a", "b", "c", "d", "e", "f"], 1, true));
    }

    #[test]
    fn access_money_migrations_infrastructure_ci_and_secrets_never_merge_by_themselves() {
        for path in [
            "src/auth/token.rs",
            "src/login_form.rs",
            "app/billing.rs",
            "src/payments/card.ts",
            "db/migrations/001_init.rs",
            "schema.sql",
            "infra/main.yml",
            "deploy/prod.yaml",
            "main.tf",
            "Dockerfile",
            ".github/workflows/ci.yml",
            ".gitlab-ci.yml",
            "config/secrets.md",
            "docs/credentials.md",
            ".env.example",
            "AGENTS.md",
            "docs/CLAUDE.md",
        ] {
            assert!(FORBIDDEN.is_match(path), "{path}");
        }
        for path in ["src/lib.rs", "docs/guide.md", "README.md", "Cargo.lock", "src/greet.rs", "tests/a.rs"] {
            assert!(!FORBIDDEN.is_match(path), "{path}");
        }
    }
}
