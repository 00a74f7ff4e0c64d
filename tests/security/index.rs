//! Which test holds which case. A case without a test fails here; so does a name that is no test.

use std::collections::BTreeMap;
use std::path::Path;

/// Cases of the sandbox are attempts in `sandbox::escape_cases`, made by `tests/sandbox_escape.rs`.
const SANDBOX: std::ops::RangeInclusive<u8> = 1..=46;
const HELD_BY_THE_HOST: [u8; 2] = [24, 25];

/// Cases of the host, each with the files and tests that hold it.
const HOST: &[(u8, &[(&str, &str)])] = &[
    (
        24,
        &[
            (
                "tests/workspace/naive.rs",
                "case_47_a_monitor_named_by_a_nested_repository_runs_for_git_and_not_here",
            ),
            ("tests/workspace/hostile.rs", "a_nested_repository_is_refused_and_nothing_of_it_runs"),
        ],
    ),
    (
        25,
        &[
            ("tests/decide_pipeline.rs", "sensitive_paths_wait_for_a_human_before_anything_is_published"),
            ("src/decide/approvals.rs", "what_needs_a_human_by_default_is_all_of_the_list"),
        ],
    ),
    (
        47,
        &[
            (
                "tests/workspace/naive.rs",
                "case_47_a_monitor_named_by_a_nested_repository_runs_for_git_and_not_here",
            ),
            ("tests/workspace/hostile.rs", "a_nested_repository_is_refused_and_nothing_of_it_runs"),
        ],
    ),
    (
        48,
        &[
            ("tests/workspace/naive.rs", "case_48_a_filter_runs_for_git_add_and_not_here"),
            ("tests/workspace/hostile.rs", "filters_named_by_the_repository_itself_do_not_run"),
            ("src/workspace/forbidden.rs", "every_spelling_of_the_git_folder_is_known"),
        ],
    ),
    (
        49,
        &[
            ("tests/workspace/naive.rs", "case_49_a_fake_git_folder_is_followed_by_git_and_not_here"),
            ("tests/workspace/hostile.rs", "a_replaced_git_file_leads_nowhere"),
        ],
    ),
    (50, &[("tests/workspace/naive.rs", "case_50_a_name_like_an_option_is_one_for_git_and_no_branch_here")]),
    (
        51,
        &[(
            "tests/workspace/naive.rs",
            "case_51_an_address_like_an_option_runs_a_program_for_git_and_not_here",
        )],
    ),
    (
        52,
        &[
            ("tests/workspace/naive.rs", "case_52_a_transport_that_is_a_program_runs_for_git_and_not_here"),
            ("tests/workspace/push.rs", "an_address_that_runs_a_program_is_not_used"),
        ],
    ),
    (
        53,
        &[(
            "tests/security/naive.rs",
            "case_53_a_build_script_reads_the_machine_outside_of_the_sandbox_and_not_in_it",
        )],
    ),
    (
        54,
        &[
            (
                "tests/workspace/naive.rs",
                "case_54_a_link_out_of_the_results_is_followed_by_plain_reading_and_not_here",
            ),
            (
                "tests/workspace/hostile.rs",
                "links_out_pipes_and_sockets_are_refused_and_links_inside_are_kept",
            ),
        ],
    ),
    (
        55,
        &[
            (
                "tests/security/naive.rs",
                "case_55_a_name_with_dots_leaves_a_folder_when_it_is_joined_and_is_no_name_here",
            ),
            ("src/domain/names.rs", "a_registry_name_is_a_key_and_never_a_path"),
        ],
    ),
    (
        56,
        &[
            (
                "tests/security/naive.rs",
                "case_56_a_link_out_of_the_vault_is_followed_by_reading_and_not_by_a_scan",
            ),
            ("tests/vault/store.rs", "nothing_is_read_or_written_through_a_link_out_of_the_vault"),
        ],
    ),
    (
        57,
        &[
            ("tests/security/naive.rs", "case_57_aliases_multiply_for_a_yaml_reader_and_are_refused_here"),
            ("src/note/yaml.rs", "depth_is_bounded_and_costs_no_time"),
        ],
    ),
    (
        58,
        &[(
            "tests/security/naive.rs",
            "case_58_a_huge_note_is_read_whole_by_plain_reading_and_not_by_a_scan",
        )],
    ),
    (
        59,
        &[
            (
                "tests/security/naive.rs",
                "case_59_a_pattern_that_makes_a_matcher_go_back_for_ever_costs_nothing_here",
            ),
            (
                "src/agents/tool/look.rs",
                "a_search_names_file_and_line_and_a_hostile_pattern_is_only_an_error",
            ),
        ],
    ),
    (
        60,
        &[
            (
                "tests/security/naive.rs",
                "case_60_sequences_for_the_terminal_are_in_the_text_and_not_in_what_is_shown",
            ),
            ("tests/report_render.rs", "nothing_an_agent_says_breaks_out"),
        ],
    ),
    (
        61,
        &[
            ("tests/sandbox/commands.rs", "a_flood_of_output_is_bounded_and_keeps_both_ends"),
            ("tests/agents/hostile.rs", "outputs_are_bounded_without_control_characters_and_without_secrets"),
        ],
    ),
    (
        62,
        &[
            ("tests/agents/hostile.rs", "outputs_are_bounded_without_control_characters_and_without_secrets"),
            ("src/engine/redact.rs", "secrets_in_free_text_are_replaced_and_commits_stay"),
            ("src/engine/redact.rs", "transcripts_lose_secrets_at_any_depth"),
        ],
    ),
    (
        63,
        &[
            (
                "tests/security/naive.rs",
                "case_63_an_image_carries_data_away_when_it_is_rendered_and_is_a_link_in_what_is_published",
            ),
            ("src/forge/inert.rs", "nothing_is_loaded_from_elsewhere"),
        ],
    ),
    (
        64,
        &[
            (
                "tests/github/webhooks.rs",
                "case_64_a_forged_or_replayed_delivery_is_believed_by_a_naive_receiver_and_rings_nothing_here",
            ),
            ("src/forge/github/webhook/check.rs", "only_the_signature_of_the_very_bytes_counts"),
            (
                "src/forge/github/webhook/deliveries.rs",
                "a_delivery_is_new_once_also_after_a_restart_and_memory_is_bounded",
            ),
        ],
    ),
    (
        65,
        &[
            (
                "tests/github/forks.rs",
                "case_65_a_fork_runs_with_credentials_where_it_is_checked_out_and_not_where_it_is_reviewed",
            ),
            ("src/workspace/proposal.rs", "names_that_lead_elsewhere_are_refused"),
            (
                "src/workspace/proposal.rs",
                "a_tree_that_is_larger_than_its_objects_is_refused_before_it_is_laid_out",
            ),
            ("tests/github/reviews.rs", "orders_in_what_a_stranger_wrote_are_findings_and_no_orders"),
        ],
    ),
    (
        66,
        &[
            ("tests/engine_behaviour/words.rs", "text_that_gives_orders_is_fenced_in_every_prompt"),
            ("src/agents/fence.rs", "a_text_cannot_close_its_own_fence"),
        ],
    ),
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_case_has_its_tests() {
    let mut known: BTreeMap<u8, usize> = BTreeMap::new();
    for number in SANDBOX.filter(|number| !HELD_BY_THE_HOST.contains(number)) {
        known.insert(number, 1);
    }
    for (number, tests) in HOST {
        assert!(!tests.is_empty(), "case {number} has no test");
        assert!(known.insert(*number, tests.len()).is_none(), "case {number} stands twice");
        for (file, name) in *tests {
            let text = read(file);
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let is_it = |line: &str| line.contains(&format!("fn {name}("));
            let at = lines.iter().position(|line| is_it(line));
            let at = at.unwrap_or_else(|| panic!("case {number}: `{name}` is not in {file}"));
            let marked = ["#[test]", "#[tokio::test]"].contains(&lines[at - 1]);
            assert!(marked, "case {number}: `{name}` in {file} is no test");
        }
    }
    let missing: Vec<u8> = (1..=66).filter(|number| !known.contains_key(number)).collect();
    assert_eq!(missing, Vec::<u8>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn every_case_of_the_sandbox_is_an_attempt() {
    let attempts = ado_vault::sandbox::escape_cases();
    for number in SANDBOX {
        let tried = attempts.iter().filter(|case| case.number == number && case.is_tried()).count();
        assert_eq!(tried == 0, HELD_BY_THE_HOST.contains(&number), "case {number}");
    }
}

/// The table that people read names the same cases.
#[test]
fn the_page_lists_every_case() {
    let page = read("docs/security.md");
    let rows =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()?.parse::<u8>().ok());
    assert_eq!(rows.collect::<Vec<_>>(), (1..=66).collect::<Vec<_>>());
}
