//! Tidy: the project reads its own sources and says where they break the house's rules.
//!
//! Each test is one rule over all files. It names its findings as `file:line`, with the way out. The
//! layers and budgets are a table in `house.rs`. Every rule lives beside a test with a bad example,
//! so that it is seen to be able to fail.

mod circle_rules;
mod code_rules;
mod house;
mod lexer;
mod list_rules;
mod markdown;
mod page_rules;
mod repo;
mod text_rules;
mod tour;
mod translation_rules;
mod workshop_rules;

use std::sync::OnceLock;

use repo::{Repo, Rule};

fn check(rule: Rule) {
    static REPO: OnceLock<Repo> = OnceLock::new();
    let found: Vec<String> = rule(REPO.get_or_init(Repo::read)).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} to mend:\n{}\n", found.len(), found.join("\n"));
}

#[test]
fn the_top_folder_holds_what_people_expect_there() {
    check(code_rules::top_folder);
}

#[test]
fn every_file_of_code_opens_with_what_it_is() {
    check(code_rules::headers);
}

#[test]
fn unsafe_code_stands_in_two_files() {
    check(code_rules::unsafe_code);
}

#[test]
fn files_use_lower_layers_only() {
    check(code_rules::layers);
}

#[test]
fn no_files_of_see_go_round_in_a_circle() {
    check(circle_rules::circles);
}

#[test]
fn files_and_the_heart_stay_within_their_budgets() {
    check(code_rules::budgets);
}

#[test]
fn modules_are_declared_in_reading_order() {
    check(code_rules::reading_order);
}

#[test]
fn the_heart_s_map_names_each_of_its_files_once() {
    check(code_rules::heart_map);
}

#[test]
fn every_name_fits_a_glance() {
    check(code_rules::names_fit_a_glance);
}

#[test]
fn every_function_fits_a_screen() {
    check(code_rules::functions_fit_a_screen);
}

#[test]
fn the_runtime_has_seven_dependencies() {
    check(code_rules::dependencies);
}

#[test]
fn no_file_holds_a_forbidden_word() {
    check(text_rules::forbidden_words);
}

#[test]
fn comments_put_the_subject_first() {
    check(text_rules::subjects);
}

#[test]
fn pages_put_the_subject_first() {
    check(text_rules::subjects_of_pages);
}

#[test]
fn every_page_opens_with_its_title() {
    check(text_rules::page_titles);
}

#[test]
fn every_relative_link_leads_somewhere() {
    check(text_rules::links);
}

#[test]
fn the_demos_index_lists_every_demo_and_no_other() {
    check(text_rules::demo_list);
}

#[test]
fn the_shelves_lead_to_every_page() {
    check(text_rules::shelves);
}

#[test]
fn the_page_is_small() {
    check(page_rules::page_is_small);
}

#[test]
fn the_page_on_the_disk_has_every_room_of_its_source() {
    check(page_rules::page_has_its_rooms);
}

#[test]
fn the_page_stands_alone() {
    check(page_rules::page_stands_alone);
}

#[test]
fn versions_are_the_same_everywhere() {
    check(text_rules::versions);
}

#[test]
fn the_architecture_page_has_the_layers_of_the_house() {
    check(text_rules::architecture_table);
}

#[test]
fn the_tour_names_what_is_there() {
    check(tour::tour);
}

#[test]
fn the_tour_leads_to_the_lines_of_its_functions() {
    if !tour::update_if_asked() {
        check(tour::lines_of_functions);
    }
}

#[test]
fn every_operation_says_what_dropping_it_loses() {
    check(list_rules::cancel_safety);
}

#[test]
fn every_habit_on_the_front_page_is_an_alias() {
    check(list_rules::habits);
}

#[test]
fn the_page_on_failure_cases_names_tests_that_are_there() {
    check(list_rules::failure_cases);
}

#[test]
fn a_program_that_cargo_does_not_test_has_no_tests() {
    check(list_rules::untested_programs);
}

#[test]
fn the_runtime_does_not_read_the_wall_clock() {
    check(code_rules::wall_clock);
}

#[test]
fn the_session_plans_add_up() {
    check(workshop_rules::session_plans);
}

#[test]
fn the_printed_card_says_what_the_page_says() {
    check(workshop_rules::printed_card);
}

#[test]
fn every_russian_page_names_its_source_and_says_when_it_is_stale() {
    check(translation_rules::translations);
}

#[test]
fn a_stage_names_the_trace_calls_that_its_holes_want() {
    check(workshop_rules::trace_calls);
}
