//! What is said of a pull request: taken up once, within its rounds, and the branch brought up to date.

use ado_vault::domain::*;

use super::world::*;

fn offered() -> World {
    let mut world = World::new();
    world.settle();
    world.told.clear();
    world
}

fn seen(world: &mut World) -> &mut PullRequestView {
    world.view().pull_request.as_mut().unwrap()
}

fn head(world: &World) -> GitId {
    world.run().pr_head.clone().unwrap()
}

#[test]
fn a_failing_check_of_the_pushed_head_is_worked_on_with_its_log_apart_from_peoples_words() {
    let mut world = offered();
    let now = Feedback::check("build", "error: no such file".into(), head(&world));
    let old = Feedback::check("lint", "old".into(), GitId("old".into()));
    seen(&mut world).feedback = vec![old, now.clone(), Feedback::words("Shorter.")];
    let Effect::Rework { feedback, .. } = world.effect() else { panic!("it is taken up") };
    assert_eq!(feedback, [now, Feedback::words("Shorter.")]);
    for _ in 0..3 {
        let effect = world.effect();
        world.perform(effect);
    }
    let next = world.effect();
    let told = instruction(&next);
    assert_eq!(told.human, ["Shorter."]);
    let log = ("build (run by the forge)".to_owned(), "error: no such file".to_owned());
    assert_eq!(told.tails, [log]);
    world.settle();
    // The same again says nothing new, and the old head's check never did.
    assert_eq!(world.wait().on, "merge");
    assert_eq!(world.told.iter().filter(|told| *told == "rework").count(), 1);
}

#[test]
fn rounds_are_counted_and_a_human_gives_as_many_again() {
    let mut world = offered();
    world.snapshot.config.settings.max_feedback_rounds = 2;
    for round in 1..=3 {
        seen(&mut world).feedback = vec![Feedback::words(format!("word {round}"))];
        world.settle();
    }
    assert_eq!(world.told.iter().filter(|told| *told == "rework").count(), 2);
    assert_eq!(
        world.wait().on,
        "human: feedback rounds used up: 2 of 2 rounds were worked on, and there is more: word 3"
    );
    world.view().feature.properties.approved = Some(true);
    world.settle();
    assert_eq!(world.told.iter().filter(|told| *told == "rework").count(), 3);
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn the_target_is_merged_in_as_the_policy_says_and_the_gates_judge_it() {
    for (policy, standing, expected) in [
        (UpdateBranch::Never, Standing::Conflicting, "human: conflict with the target branch"),
        (UpdateBranch::Never, Standing::Behind, "merge"),
        (UpdateBranch::Conflicts, Standing::Behind, "merge"),
    ] {
        let mut world = offered();
        world.snapshot.config.approvals.update_branch = policy;
        seen(&mut world).standing = standing;
        world.settle();
        assert_eq!((world.wait().on.as_str(), world.told.len()), (expected, 0), "{policy:?} {standing:?}");
    }
    for (policy, standing) in
        [(UpdateBranch::Conflicts, Standing::Conflicting), (UpdateBranch::Behind, Standing::Behind)]
    {
        let mut world = offered();
        world.snapshot.config.approvals.update_branch = policy;
        seen(&mut world).standing = standing;
        world.settle();
        let expected = ["update", "advance", "moved: review → in_progress", "gates/1 again (2)", "publish"];
        assert_eq!(world.told, expected, "{policy:?} {standing:?}");
        assert_eq!(world.run().base, Some(GitId("new-base".into())));
        assert_eq!(world.wait().on, "merge");
    }
}

#[test]
fn files_in_conflict_are_findings_for_the_coder() {
    let mut world = offered();
    let from = head(&world);
    let run = world.run().id.clone();
    let StepResult::Changed { change } = changed("merged") else { unreachable!() };
    let conflicts = vec!["a.rs".to_owned(), "b.rs".to_owned()];
    world.append(&run, Event::BranchUpdated { from, change, conflicts });
    for _ in 0..2 {
        let effect = world.effect();
        world.perform(effect);
    }
    let next = world.effect();
    let findings = &instruction(&next).findings;
    let places: Vec<(&str, &str)> =
        findings.iter().map(|each| (each.file.as_str(), each.rule.as_str())).collect();
    assert_eq!(places, [("a.rs", "merge-conflict"), ("b.rs", "merge-conflict")]);
    world.settle();
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn a_head_of_others_is_left_to_people_and_an_older_own_one_is_waited_for() {
    let mut world = offered();
    seen(&mut world).head = Some(GitId("somebody".into()));
    world.settle();
    assert_eq!(world.wait().on, "human: others pushed to the branch");
    let mut world = offered();
    seen(&mut world).feedback = vec![Feedback::words("Shorter.")];
    let before = head(&world);
    world.settle();
    seen(&mut world).head = Some(before);
    world.settle();
    assert_eq!(world.wait().on, "forge");
    seen(&mut world).head = Some(head(&world));
    world.settle();
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn another_review_of_the_same_change_is_made_with_a_persons_words_and_mends_what_it_finds() {
    for (found, expected) in [
        (vec![], vec!["advance", "moved: review → in_progress", "review/1 again (2)", "publish"]),
        (
            vec![finding(Severity::Error, "it locks twice")],
            vec![
                "advance",
                "moved: review → in_progress",
                "review/1 again (2)",
                "code/2",
                "gates/2",
                "review/2",
                "publish",
            ],
        ),
    ] {
        let mut world = offered();
        let (run, head) = (world.run().id.clone(), head(&world));
        let words = vec!["ann: look at the lock".to_owned()];
        world.append(&run, Event::ReviewAsked { by: "ann".into(), words: words.clone() });
        world.script(Step::Review, 1, reviewed(found.clone()));
        for _ in 0..2 {
            let effect = world.effect();
            world.perform(effect);
        }
        assert_eq!(instruction(&world.effect()).human, words);
        world.settle();
        assert_eq!(world.told, expected);
        assert_eq!(world.wait().on, "merge");
        assert_eq!(found.is_empty(), self::head(&world) == head);
        assert_eq!(world.run().review_asked, None, "once");
    }
}
