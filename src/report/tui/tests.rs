//! Screens as text, and what keys do to them.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::live::facts::HandleFacts;
use crate::live::inventory::Held;
use crate::report::{Style, samples};

fn model() -> Model {
    Model {
        outcome: samples::full(),
        wanted: Wanted::default(),
        groups: Vec::new(),
        members: Members::default(),
    }
}

/// What a terminal of a size shows.
fn shown(model: &Model, state: &mut State, size: (u16, u16), style: Style) -> String {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("in memory");
    terminal.draw(|frame| draw(model, state, style, frame)).expect("in memory");
    terminal.backend().to_string()
}

const PLAIN: Style = Style { color: false, width: 80, unicode: false };

/// Answers what the screen wants, as the watch does.
fn answered(model: &mut Model, state: &State) {
    model.wanted = state.wanted(model);
}

#[test]
fn the_first_screen_names_the_leak_and_what_to_do() {
    let mut state = State::default();
    let mut model = model();
    answered(&mut model, &state);
    state.key(Key::End, &model);
    let text = shown(&model, &mut state, (80, 24), PLAIN);
    for part in ["LEAKING", "1 resources", "2 diagnoses (1)", "10.0.3.7:5432", "leaking", "next: "]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(text.contains("opened by db::connect src/db.rs:12"), "{text}");
    assert!(text.is_ascii());
}

#[test]
fn hostile_names_are_harmless_on_every_tab_and_size() {
    for tab in '1'..='8' {
        for size in [(1, 1), (20, 5), (80, 24), (200, 60)] {
            for unicode in [true, false] {
                let mut state = State::default();
                let mut model = model();
                state.key(Key::Char(tab), &model);
                state.key(Key::Char('t'), &model);
                answered(&mut model, &state);
                let text = shown(&model, &mut state, size, Style { unicode, ..PLAIN });
                assert!(!text.contains(['\x1b', '\u{202e}', '\x07']), "{text}");
            }
        }
    }
}

#[test]
fn a_group_opens_its_handles_and_closes_again() {
    let mut state = State::default();
    let mut model = model();
    answered(&mut model, &state);
    state.key(Key::End, &model);
    state.key(Key::Enter, &model);
    let wanted = state.wanted(&model);
    assert_eq!(wanted.members.as_ref().map(|path| path[0].as_str()), Some("socket"));
    assert!(shown(&model, &mut state, (80, 24), PLAIN).contains("asking"));
    let held = |fd: u32, seen| {
        let facts =
            HandleFacts { fd: Some(fd), label: "a -> b".into(), ..HandleFacts::of_kind("socket") };
        Held { target: TargetId(1), seen, pre: false, facts }
    };
    model.members = Members { handles: vec![held(7, 1000), held(8, 500_000)], total: 12 };
    answered(&mut model, &state);
    let text = shown(&model, &mut state, (80, 24), PLAIN);
    assert!(
        text.contains("10 min") && text.contains("a -> b") && text.contains("and 10 more"),
        "{text}"
    );
    // By age, the oldest first.
    for _ in 0..5 {
        state.key(Key::Char('s'), &model);
    }
    let text = shown(&model, &mut state, (80, 24), PLAIN);
    assert!(text.contains("age v") && text.find("10 min") < text.find("100 s"), "{text}");
    state.key(Key::Back, &model);
    assert_eq!(state.wanted(&model).members, None);
}

#[test]
fn a_filter_is_typed_shown_and_cleared() {
    let mut state = State::default();
    let mut model = model();
    answered(&mut model, &state);
    for key in [Key::Char('/'), Key::Char('q'), Key::Char('x'), Key::Backspace, Key::Enter] {
        assert_eq!(state.key(key, &model), Action::Draw);
    }
    let text = shown(&model, &mut state, (80, 24), PLAIN);
    assert!(text.contains("no row fits") && text.contains("filter: q"), "{text}");
    state.key(Key::Back, &model);
    assert!(shown(&model, &mut state, (80, 24), PLAIN).contains("10.0.3.7:5432"));
    assert_eq!(state.key(Key::Char('q'), &model), Action::Quit);
}

#[test]
fn what_is_selected_stays_selected_when_rows_come_and_go() {
    let mut state = State::default();
    let mut model = model();
    answered(&mut model, &state);
    state.key(Key::End, &model);
    let before = state.selected.clone();
    let first = model.outcome.targets[0].resources.remove(0);
    state.key(Key::Char('x'), &model);
    assert_eq!(state.selected, before);
    model.outcome.targets[0].resources.insert(0, first);
    let page = state.page(&model, true).expect("a target");
    assert_eq!(page.rows.get(state.position(&page)).map(|row| row.key.clone()), before);
}
