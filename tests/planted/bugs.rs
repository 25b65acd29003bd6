//! The table. Each entry is a rule that somebody could break by a line, and the test that says so.
//!
//! The rules are numbered as in `docs/architecture.md`, "What always holds". An entry is planted by
//! replacing a piece of one line, which must stand in its function (or, without one, in its file) exactly
//! once; a fast test holds the table to that. A change of such a line changes the entry with it.

/// The test program with libraries of others, which take a minute to build.
pub(crate) const LIBRARIES: &str = "libraries";

/// One wrong version.
pub(crate) struct Bug {
    /// Which of the rules it breaks; 0 for a promise of `docs/reliability-cases.md` that is none of them.
    pub(crate) rule: u8,
    /// The fault of the wrong version.
    pub(crate) what: &'static str,
    /// The file, in the runtime's sources.
    pub(crate) file: &'static str,
    /// The function that the line stands in, as in `fn wake(`; empty for anywhere in the file.
    pub(crate) inside: &'static str,
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
    /// The test that must turn red: the test program, and the test's path in it.
    pub(crate) test: &'static str,
}

impl Bug {
    pub(crate) fn path(&self) -> String {
        format!("runtime/src/{}", self.file)
    }

    /// The test program.
    pub(crate) fn program(&self) -> &'static str {
        self.test.split_once(' ').map_or(self.test, |(program, _)| program)
    }

    /// The test's path in its program.
    pub(crate) fn name(&self) -> &'static str {
        self.test.split_once(' ').map_or("", |(_, name)| name)
    }

    /// The file's text with the bug in it.
    pub(crate) fn planted(&self, text: &str) -> Result<String, String> {
        let place = self.place(text).ok_or_else(|| format!("{}: there is no `{}`", self.file, self.inside))?;
        let found: Vec<usize> = text[place.clone()].match_indices(self.right).map(|(at, _)| place.start + at).collect();
        let [at] = found[..] else {
            return Err(format!(
                "{}: `{}` stands there {} times{}; the planted bug \"{}\" needs a line that stands there once",
                self.file,
                self.right,
                found.len(),
                if self.inside.is_empty() { String::new() } else { format!(", in `{}`", self.inside) },
                self.what,
            ));
        };
        Ok([&text[..at], self.wrong, &text[at + self.right.len()..]].concat())
    }

    /// The function's place in the text: up to the brace that closes it.
    fn place(&self, text: &str) -> Option<std::ops::Range<usize>> {
        if self.inside.is_empty() {
            return Some(0..text.len());
        }
        let start = text.find(self.inside)?;
        let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = text[line..].find(|letter: char| letter != ' ')?;
        let end = text[start..].find(&format!("\n{}}}\n", &text[line..line + indent]))?;
        Some(start..start + end)
    }
}

#[rustfmt::skip]
pub(crate) const BUGS: &[Bug] = &[
    // --- 0: what a program that hangs, or is shown, is told --------------------------------------------
    Bug {
        rule: 0, what: "a name is shown whole, however long it is",
        file: "ground/shown.rs", inside: "",
        right: "const LONGEST: usize = 64;",
        wrong: "const LONGEST: usize = 1 << 20;",
        test: "it see::names::strange_names_reach_a_terminal_tame_in_tables_dumps_and_findings",
    },
    Bug {
        rule: 0, what: "a letter that reorders others is shown as it is",
        file: "ground/shown.rs", inside: "fn escaped(",
        right: "_ => letter.escape_debug().to_string(),",
        wrong: "'\\u{202e}' | '\\u{2066}' => letter.into(), _ => letter.escape_debug().to_string(),",
        test: "it see::names::strange_names_reach_a_terminal_tame_in_tables_dumps_and_findings",
    },
    Bug {
        rule: 0, what: "a name that runs from right to left is not isolated",
        file: "ground/shown.rs", inside: "fn fmt(",
        right: ".any(runs_back)",
        wrong: ".any(|letter| false && runs_back(letter))",
        test: "it see::names::strange_names_reach_a_terminal_tame_in_tables_dumps_and_findings",
    },
    Bug {
        rule: 0, what: "the task table writes names as they are",
        file: "see/model/table.rs", inside: "fn parts(",
        right: "format!(\"{:#}\", Shown(name))",
        wrong: "String::from(name)",
        test: "it see::names::strange_names_reach_a_terminal_tame_in_tables_dumps_and_findings",
    },
    Bug {
        rule: 0, what: "a finding writes names as they are",
        file: "see/model/words.rs", inside: "",
        right: "write!(f, \" {}\", Shown(name))",
        wrong: "write!(f, \" {name}\")",
        test: "it see::names::strange_names_reach_a_terminal_tame_in_tables_dumps_and_findings",
    },
    Bug {
        rule: 0, what: "a host without a port is refused",
        file: "see/serve/names.rs", inside: "fn parse(",
        right: "None if port.is_empty() => usual,",
        wrong: "None if port.is_empty() => return None,",
        test: "it see::server::own_names_are_heard_with_any_port_or_none_and_foreign_names_never",
    },
    Bug {
        rule: 0, what: "a name that begins like an own one is heard",
        file: "see/serve/names.rs", inside: "fn is_ours(",
        right: "self.name.eq_ignore_ascii_case(\"localhost\")",
        wrong: "self.name.to_ascii_lowercase().starts_with(\"localhost\")",
        test: "it see::server::own_names_are_heard_with_any_port_or_none_and_foreign_names_never",
    },
    Bug {
        rule: 0, what: "an origin with another port is heard",
        file: "see/serve/names.rs", inside: "fn equals(",
        right: "same_name && self.port == other.port",
        wrong: "same_name",
        test: "it see::server::an_origin_must_lead_where_the_request_goes_however_both_are_written",
    },
    Bug {
        rule: 0, what: "a child writes over its parent's recording",
        file: "see/asked/claim.rs", inside: "fn claim(",
        right: "(!is_a_child_of_its_kind(variable, path))",
        wrong: "(true || is_a_child_of_its_kind(variable, path))",
        test: "it see::shared_paths::children_of_its_own_kind_leave_a_programs_recording_alone",
    },
    Bug {
        rule: 0, what: "a recording is anybody's to write over while its program lives",
        file: "see/asked/claim.rs", inside: "fn claim(",
        right: "if signals::lock_file(&file) {",
        wrong: "if signals::lock_file(&file) || true {",
        test: "it see::shared_paths::programs_that_live_at_a_time_have_a_recording_each",
    },
    Bug {
        rule: 0, what: "a pen goes on in a segment that another pen has filled",
        file: "see/record/pen.rs", inside: "fn open(",
        right: "if open.is_full() {",
        wrong: "if open.len() == 0 {",
        test: "it see::recordings::two_loops_that_share_a_ring_by_turns_lose_no_event_and_mix_none",
    },
    Bug {
        rule: 0, what: "a loop on another thread writes into the same ring",
        file: "see/record/ring.rs", inside: "fn take_up(",
        right: "let is_here = *thread == here;",
        wrong: "let is_here = *thread == here || true;",
        test: "it see::recordings::a_loop_on_another_thread_is_refused_a_ring_that_is_written",
    },
    Bug {
        rule: 0, what: "threads tell a ring at the same time",
        file: "see/record/ring.rs", inside: "fn on_event(",
        right: "let _my_turn = self.0.tellers.lock().unwrap_or_else(PoisonError::into_inner);",
        wrong: "",
        test: "it see::recordings::threads_that_tell_a_ring_do_so_by_turns",
    },
    Bug {
        rule: 0, what: "a forked child goes on with its parent's claim",
        file: "see/asked/claim.rs", inside: "fn open(",
        right: "claim.process == process && ",
        wrong: "",
        test: "it see::shared_paths::a_forked_child_s_recording_is_another_than_its_parent_s",
    },
    Bug {
        rule: 0, what: "a trace goes where the recording went",
        file: "see/asked/claim.rs", inside: "fn open(",
        right: "claim.variable == variable",
        wrong: "!claim.variable.is_empty()",
        test: "it see::shared_paths::children_of_its_own_kind_leave_a_programs_recording_alone",
    },
    Bug {
        rule: 0, what: "a recording that is cut off is not read at all",
        file: "see/record/recording.rs", inside: "fn read(",
        right: "reader.recording.is_some() =>",
        wrong: "reader.recording.is_some() && false =>",
        test: "it see::recordings::a_recording_cut_off_anywhere_is_read_as_far_as_it_goes",
    },
    Bug {
        rule: 0, what: "a line that is broken in the middle is taken for a cut",
        file: "see/record/recording.rs", inside: "fn read(",
        right: "!bytes.ends_with(b\"\\n\") && ",
        wrong: "",
        test: "it see::recordings::a_recording_cut_off_anywhere_is_read_as_far_as_it_goes",
    },
    Bug {
        rule: 0, what: "a recording that is cut off says nothing of it",
        file: "see/record/recording.rs", inside: "fn read(",
        right: "Ok(Self { cut_short, ..recording })",
        wrong: "Ok(Self { cut_short: cut_short.filter(|_| false), ..recording })",
        test: "it see::recordings::a_recording_cut_off_anywhere_is_read_as_far_as_it_goes",
    },
    Bug {
        rule: 0, what: "lines that are missing between two others are not missed",
        file: "see/record/recording.rs", inside: "fn read(",
        right: "lines < whole.lines",
        wrong: "lines < whole.lines && false",
        test: "it see::recordings::a_recording_that_lacks_facts_or_events_between_two_lines_says_so",
    },
    Bug {
        rule: 0, what: "a header counts the events behind it and forgets the facts",
        file: "see/record/cut.rs", inside: "fn beginning(",
        right: "facts.lines().count() as u64 + ",
        wrong: "",
        test: "it see::recordings::a_recording_that_lacks_facts_or_events_between_two_lines_says_so",
    },
    Bug {
        rule: 0, what: "a recording stops at the first signal, whatever becomes of it",
        file: "see/asked/ending.rs", inside: "fn ended_by(",
        right: "unwritten().write_all(Occasion::Signal(signal));",
        wrong: "{ let mut unwritten = unwritten(); unwritten.write_all(Occasion::Signal(signal)); unwritten.all.clear(); }",
        test: "it see::shared_paths::a_recording_goes_on_after_a_signal_that_has_ended_nothing",
    },
    Bug {
        rule: 0, what: "a signal that has ended nothing is heard no second time",
        file: "ground/signals.rs", inside: "fn let_end(",
        right: "let _ = Holders::default().take(signal);",
        wrong: "let _ = &holders;",
        test: "it see::shared_paths::a_recording_goes_on_after_a_signal_that_has_ended_nothing",
    },
    Bug {
        rule: 0, what: "a seed that fails is told when its schedule is cut",
        file: "explore/mod.rs", inside: "pub fn explore<",
        right: "teller.found(schedule, tried, &failure);",
        wrong: "",
        test: "it task::explore::a_search_prints_its_seed_and_its_report_and_other_panics_as_ever",
    },
    Bug {
        rule: 0, what: "a search whose run hangs is silent",
        file: "explore/teller.rs", inside: "",
        right: "const PERIOD: Duration = Duration::from_secs(2);",
        wrong: "const PERIOD: Duration = Duration::from_secs(200);",
        test: "it task::explore::a_seed_whose_run_hangs_is_told_while_it_hangs",
    },
    Bug {
        rule: 0, what: "shorter schedules are looked for without a limit of time",
        file: "explore/mod.rs", inside: "fn shrink<",
        right: " && start.elapsed() < TIME_TO_CUT / 2",
        wrong: "",
        test: "it task::explore::a_seed_is_told_at_once_and_shortening_has_a_limit_of_time",
    },
    Bug {
        rule: 0, what: "hyper's adapter wipes the counted bytes alone",
        file: "interop/hyper.rs", inside: "fn poll_read(",
        right: "lent.fill(0);",
        wrong: "if let Poll::Ready(Ok(())) = result { lent.fill(0); }",
        test: "libraries io::no_connection_sees_what_the_reader_of_another_has_left_uncounted",
    },
    Bug {
        rule: 0, what: "hyper's adapter lends its scratch as the last reader left it",
        file: "interop/hyper.rs", inside: "fn poll_read(",
        right: "lent.fill(0);",
        wrong: "",
        test: "libraries io::no_connection_sees_what_another_has_read",
    },
    Bug {
        rule: 0, what: "a search that exits takes its seed along",
        file: "explore/teller.rs", inside: "fn exits(",
        right: "tell(format_args!(",
        wrong: "let _ = going.text(); drop(format_args!(",
        test: "it task::explore::a_program_that_exits_in_the_midst_of_a_search_leaves_its_seed",
    },
    Bug {
        rule: 0, what: "a search that is over is told of when the process exits",
        file: "explore/teller.rs", inside: "impl Drop for Teller",
        right: "|search| !search.ptr_eq(&over)",
        wrong: "|_| true",
        test: "it task::explore::a_program_that_exits_after_a_search_says_nothing_of_it",
    },
    Bug {
        rule: 0, what: "a tick that is given up keeps its timer",
        file: "time/interval.rs", inside: "impl Drop for Tick",
        right: "self.0.sleep.give_up();",
        wrong: "let _ = &self.0;",
        test: "it time::intervals::a_tick_that_is_given_up_leaves_no_timer_and_no_waker",
    },
    Bug {
        rule: 0, what: "the panics that were held back die with the process",
        file: "explore/quiet.rs", inside: "fn note(",
        right: "tell(held.last_words());",
        wrong: "let _ = held.last_words();",
        test: "it task::explore::all_that_was_held_back_is_told_before_the_process_is_aborted",
    },
    Bug {
        rule: 0, what: "the loops of a search hear what the environment wishes",
        file: "explore/mod.rs", inside: "fn run_quietly<",
        right: "Deaf::new(true)",
        wrong: "Deaf::new(false)",
        test: "it task::explore::the_environments_wishes_leave_the_loops_of_a_search_alone",
    },
    Bug {
        rule: 0, what: "a loop that a job of a search builds hears what the environment wishes",
        file: "task/blocking.rs", inside: "fn thread_half<",
        right: "let is_deaf = is_deaf();",
        wrong: "let is_deaf = is_deaf() && false;",
        test: "it task::explore::the_environments_wishes_leave_the_loops_of_a_search_alone",
    },
    Bug {
        rule: 0, what: "a wake that rests in a scope is not counted",
        file: "task/scope.rs", inside: "fn poll(",
        right: "noted.replace(cx.waker().clone()).is_some()",
        wrong: "noted.replace(Waker::noop().clone()).is_some()",
        test: "it heart::leftovers::a_scope_that_was_begun_and_set_aside_is_no_finding",
    },
    Bug {
        rule: 0, what: "a wake that was delivered to a child is counted as one that rests",
        file: "task/scope.rs", inside: "fn poll_noted(",
        right: ".and_then(Option::take)",
        wrong: ".and_then(|noted| noted.clone())",
        test: "it heart::leftovers::a_child_without_a_waker_is_found_although_it_was_woken_before",
    },
    Bug {
        rule: 0, what: "a child that was woken again while it was set aside is polled again",
        file: "task/scope.rs", inside: "fn poll(",
        right: "if !noted {",
        wrong: "if !noted || true {",
        test: "it heart::leftovers::a_child_woken_a_thousand_times_while_set_aside_is_polled_once",
    },
    Bug {
        rule: 0, what: "a read in memory that is given up leaves its waker",
        file: "net/duplex.rs", inside: "impl Drop for Turn",
        right: "if let Some(number) = self.number {",
        wrong: "if let Some(number) = self.number.filter(|_| false) {",
        test: "it heart::leftovers::reads_and_writes_in_memory_that_are_given_up_leave_no_waker",
    },
    Bug {
        rule: 0, what: "a task that gives up waiting for input leaves a waker",
        file: "io/stdin.rs", inside: "impl Drop for Seat",
        right: "if let Some(number) = self.number {",
        wrong: "if let Some(number) = self.number.filter(|_| false) {",
        test: "it process::stdin::whoever_waits_for_input_and_gives_up_leaves_no_waker",
    },
    Bug {
        rule: 0, what: "a scope's handle that is dropped leaves its waker",
        file: "task/scoped_handle.rs", inside: "impl<T> Drop for ScopedJoinHandle",
        right: "State::Waiting(waker) => waker.take(),",
        wrong: "State::Waiting(waker) => waker.take_if(|_| false),",
        test: "it heart::leftovers::a_scopes_handle_that_is_dropped_takes_its_waker_along",
    },
    Bug {
        rule: 0, what: "a scope that is over leaves its waker and its limit to its cancellers",
        file: "task/scope.rs", inside: "fn drop_children(",
        right: "drop((self.notes.parent.take(), self.notes.limit.take()));",
        wrong: "",
        test: "it heart::leftovers::a_scope_that_is_over_leaves_nothing_with_its_cancellers",
    },
    Bug {
        rule: 0, what: "tabs of the page take all of a browser's connections",
        file: "see/serve/seats.rs", inside: "",
        right: "const SEATS: usize = 4;",
        wrong: "const SEATS: usize = 400;",
        test: "it see::server::with_any_number_of_tabs_a_browser_has_connections_left_for_commands",
    },
    Bug {
        rule: 0, what: "a tab that comes again takes another one's seat",
        file: "see/serve/seats.rs", inside: "fn take(",
        right: "if is_new && taken",
        wrong: "if (is_new || true) && taken",
        test: "it see::server::a_tab_that_comes_again_and_again_misses_nothing_and_keeps_a_loop_held",
    },
    Bug {
        rule: 0, what: "a loop that is held waits for viewers who have gone",
        file: "see/serve/gate.rs", inside: "fn leave_if_alone(",
        right: "if self.alone_in() == Some(Duration::ZERO) {",
        wrong: "if self.alone_in() == Some(Duration::ZERO) && false {",
        test: "it see::server::a_held_loop_goes_on_when_nobody_has_watched_for_two_seconds",
    },
    // --- 1: no borrow is alive while foreign code runs -----------------------------------------------
    Bug {
        rule: 1, what: "a timer's replaced waker is dropped while the wheel is borrowed",
        file: "heart/timers.rs", inside: "fn update(",
        right: "Ok(std::mem::replace(&mut pending.waker, waker))",
        wrong: "{ pending.waker = waker; Ok(Waker::noop().clone()) }",
        test: "it heart::reentrancy::the_drop_of_a_stored_waker_may_do_anything",
    },
    Bug {
        rule: 1, what: "a joiner's replaced waker is dropped while the tasks are borrowed",
        file: "heart/tasks/mod.rs", inside: "fn leave_joiner(",
        right: "slot.joiner.replace(waker)",
        wrong: "{ slot.joiner = Some(waker); None }",
        test: "it heart::reentrancy::the_drop_of_a_stored_waker_may_do_anything",
    },
    Bug {
        rule: 1, what: "a joiner is woken while the tasks are borrowed",
        file: "heart/tasks/mod.rs", inside: "fn finish(",
        right: "joiner: slot.joiner.take(), ..",
        wrong: "joiner: slot.joiner.take().map(Waker::wake).and(None), ..",
        test: "it heart::reentrancy::the_wake_of_a_stored_waker_may_do_anything",
    },
    Bug {
        rule: 1, what: "an output that nobody wants is dropped while the tasks are borrowed",
        file: "heart/tasks/mod.rs", inside: "fn finish(",
        right: "return Left { joiner: None, body: Some(body), failure };",
        wrong: "drop((body, failure)); return Left::default();",
        test: "it heart::reentrancy::the_drop_of_an_output_or_of_a_panics_payload_may_do_anything",
    },
    Bug {
        rule: 1, what: "the last timers' wakers are dropped while the wheel is borrowed",
        file: "heart/timers.rs", inside: "fn take_wakers(",
        right: "std::iter::from_fn(|| wheel.pop_due()).map(|(.., pending)| pending.waker).collect()",
        wrong: "while wheel.pop_due().is_some() {} Vec::new()",
        test: "it heart::reentrancy::anything_may_be_done_at_the_end_of_the_runtime",
    },
    Bug {
        rule: 1, what: "a task is polled while the thread-local is borrowed",
        file: "heart/turn.rs", inside: "fn poll_task(",
        right: "|| body.as_mut().poll(&mut Context::from_waker(&waker))",
        wrong: "|| crate::heart::current::with_current(|_| body.as_mut().poll(&mut Context::from_waker(&waker))).unwrap()",
        test: "it heart::reentrancy::a_poll_may_do_anything",
    },
    Bug {
        rule: 3, what: "the loop sleeps although the hook around the park has made a task ready",
        file: "heart/turn.rs", inside: "fn park_within(",
        right: "timeout(core)",
        wrong: "core.timers.until_next()",
        test: "it heart::outside_turns::a_hook_may_spawn_and_the_loop_does_not_sleep_over_it",
    },
    Bug {
        rule: 6, what: "the loop sleeps until a deadline that is no longer the next: the hook has set a timer",
        file: "heart/turn.rs", inside: "fn park_within(",
        right: "timeout(core)",
        wrong: "timeout(core).filter(Duration::is_zero)",
        test: "it heart::outside_turns::a_hook_may_set_the_earliest_timer_and_the_virtual_clock_stops_there",
    },
    Bug {
        rule: 4, what: "a source that is asked again keeps what the kernel said before",
        file: "heart/reactor/mod.rs", inside: "fn ask_again(",
        right: "source.latches = Latches::default()",
        wrong: "source.latches = source.latches.union(source.latches)",
        test: "it net::source_fd::what_is_ready_is_reported_each_time_the_kernel_is_asked_again",
    },
    Bug {
        rule: 1, what: "a wake goes past the observer",
        file: "heart/waker.rs", inside: "fn wake(",
        right: "core.is_observed()",
        wrong: "false",
        test: "it see::events::each_wake_names_its_cause",
    },
    Bug {
        rule: 1, what: "a socket's replaced waker is dropped while the sources are borrowed",
        file: "heart/reactor/source.rs", inside: "fn add_beside(",
        right: "return Some(std::mem::replace(there, waiting).waker);",
        wrong: "*there = waiting; return None;",
        test: "it heart::reentrancy::the_wake_and_the_drop_of_a_sockets_stored_waker_may_do_anything",
    },
    Bug {
        rule: 1, what: "a ring is locked while somebody looks at its state",
        file: "see/record/ring.rs", inside: "fn with_state<",
        right: "look(&self.seen_now())",
        wrong: "{ let (seen, _tail) = (self.seen_now(), self.tail()); look(&seen) }",
        test: "it see::recordings::a_loop_goes_on_for_as_long_as_somebody_looks_at_its_state",
    },
    Bug {
        rule: 1, what: "a ring is locked while its events are written",
        file: "see/record/ring.rs", inside: "fn write_on(",
        right: "for (n, record) in cut.after(cut.dropped) {",
        wrong: "let _past = self.past(); let _tail = self.tail(); for (n, record) in cut.after(cut.dropped) {",
        test: "it see::recordings::a_loop_goes_on_while_its_events_are_written_to_something_slow",
    },
    Bug {
        rule: 0, what: "a ring that forgot shows the wait of a task that has ended",
        file: "see/model/state.rs", inside: "fn wait(",
        right: "let Some(task) = self.tasks.get_mut(&id) else { return };",
        wrong: "let mut nobody = Task::new(0, None, Who::Outside, wait.at, wait.since); let task = self.tasks.get_mut(&id).unwrap_or(&mut nobody);",
        test: "it see::recordings::a_ring_that_forgot_shows_no_wait_of_a_task_that_has_ended",
    },
    Bug {
        rule: 0, what: "a waker of a slot's former tenant counts as one of the next",
        file: "see/diagnose/counted.rs", inside: "fn of(",
        right: "*known != word.0",
        wrong: "*known == 0",
        test: "it see::diagnosis::a_last_waker_is_missed_wherever_wakers_are_cloned_and_dropped",
    },
    Bug {
        rule: 0, what: "a loop does not look at the wakers that other threads have counted",
        file: "see/diagnose/counted.rs", inside: "fn kept(",
        right: "*kept += elsewhere().take(word.0);",
        wrong: "",
        test: "it see::diagnosis::a_last_waker_is_missed_wherever_wakers_are_cloned_and_dropped",
    },
    Bug {
        rule: 0, what: "a ring that comes late copies all stores in one turn",
        file: "see/record/ring.rs", inside: "fn copy_on(&self",
        right: "copy_on(core, COPIED)",
        wrong: "copy_on(core, COPIED << 20)",
        test: "it see::recordings::a_ring_that_comes_late_copies_so_many_things_a_turn_and_no_more",
    },
    Bug {
        rule: 0, what: "a poll that ends shares the reading of the clock at its start",
        file: "ground/reading.rs", inside: "fn is_bound(",
        right: "| PollEnd { .. }",
        wrong: "",
        test: "it see::events::a_poll_is_as_long_as_it_was_and_what_happens_in_it_is_at_its_start",
    },
    Bug {
        rule: 0, what: "the drop of a task's output is part of the next task's poll",
        file: "heart/turn.rs", inside: "fn end_task(",
        right: "core.observers.reading.forget();",
        wrong: "",
        test: "it see::events::an_output_is_dropped_in_no_poll_and_a_return_shares_its_reading",
    },
    // --- 2: the serial before the flag, and the flag before the poll ---------------------------------
    Bug {
        rule: 2, what: "a wake finds its task by the slot alone",
        file: "heart/tasks/mod.rs", inside: "fn wake(",
        right: "!word.fits(slot.serial)",
        wrong: "false",
        test: "it heart::wakers::a_wake_for_a_slots_former_tenant_wakes_nobody",
    },
    Bug {
        rule: 2, what: "a stale wake makes the tenant ready, and swallows the next real one",
        file: "heart/tasks/mod.rs", inside: "fn wake(",
        right: "if !word.fits(slot.serial) {",
        wrong: "if !word.fits(slot.serial) { if slot.life == Life::Waiting { slot.life = Life::Ready; }",
        test: "it heart::wakers::a_wake_for_a_former_tenant_swallows_none_for_the_next_one",
    },
    Bug {
        rule: 2, what: "a task leaves the ready state after the poll, and a wake during it is lost",
        file: "heart/tasks/mod.rs", inside: "fn put_back(",
        right: "fill(&mut slot.body, body);",
        wrong: "slot.life = Life::Waiting; fill(&mut slot.body, body);",
        test: "it heart::executor::a_task_that_wakes_itself_while_it_is_polled_is_polled_once_more",
    },
    Bug {
        rule: 2, what: "a queue's entry is believed by its slot alone",
        file: "heart/tasks/mod.rs", inside: "fn next(",
        right: "!word.fits(slot.serial) || ",
        wrong: "",
        test: "it heart::executor::a_slots_former_tenant_leaves_no_place_in_the_queue_to_the_next",
    },
    Bug {
        rule: 2, what: "a task that is queued is queued again",
        file: "heart/tasks/mod.rs", inside: "fn wake(",
        right: "return if slot.life.is_over() { Woken::Stale } else { Woken::AlreadyQueued };",
        wrong: "if slot.life.is_over() { return Woken::Stale; } inner.ready.push(word); return Woken::AlreadyQueued;",
        test: "models tasks_model::the_store_does_what_a_naive_executor_does",
    },
    Bug {
        rule: 2, what: "a handle reaches its slot's next tenant",
        file: "heart/tasks/mod.rs", inside: "fn find(",
        right: "slot.serial == key.0.serial",
        wrong: "slot.serial != 0",
        test: "it task::abort::an_abort_handle_of_an_ended_task_misses_the_slots_next_tenant",
    },
    Bug {
        rule: 2, what: "a task that is over can be woken",
        file: "heart/tasks/mod.rs", inside: "fn wake(",
        right: "slot.life != Life::Waiting",
        wrong: "matches!(slot.life, Life::Ready | Life::ReadyToDrop)",
        test: "it heart::wakers::a_task_that_is_over_is_not_woken_although_nobody_has_joined_it",
    },
    Bug {
        rule: 2, what: "another runtime's word names whichever task has its slot and serial",
        file: "heart/tasks/mod.rs", inside: "fn named_by(",
        right: "word.runtime() != self.runtime as u16",
        wrong: "false",
        test: "it heart::leftovers::a_waker_of_another_runtime_is_booked_on_no_task_of_this_one",
    },
    Bug {
        rule: 2, what: "the task that is polled is said to wait by another runtime's waker",
        file: "heart/peek.rs", inside: "fn waiter_of(",
        right: "if word_of(waker).is_some() { task_of(core, waker) } else { core.current_task() }",
        wrong: "task_of(core, waker).or_else(|| core.current_task())",
        test: "it heart::leftovers::a_waker_of_another_runtime_is_booked_on_no_task_of_this_one",
    },
    Bug {
        rule: 2, what: "the dump books another runtime's waker by slot and serial",
        file: "see/model/dump.rs", inside: "fn of(core: &Core) -> Self",
        right: ".filter(|word| word.runtime() == core.number as u16)",
        wrong: "",
        test: "it heart::leftovers::a_waker_of_another_runtime_is_booked_on_no_task_of_this_one",
    },
    // --- 3: push, then ring; say parked, then look ----------------------------------------------------
    Bug {
        rule: 3, what: "a sender rings before its message is there",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "self.messages.send(message)?;",
        wrong: "if self.parked.swap(false, Ordering::AcqRel) { let _ = self.bell.wake(); } self.messages.send(message)?; return Ok(());",
        test: "loom models::a_message_that_races_with_the_park_arrives",
    },
    Bug {
        rule: 3, what: "a sender's look at the flag may come before its push is seen",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "fence(Ordering::SeqCst);",
        wrong: "",
        test: "loom models::a_message_that_races_with_the_park_arrives",
    },
    Bug {
        rule: 3, what: "the loop's look at the messages may come before its flag is seen",
        file: "heart/inbox.rs", inside: "fn announce_park(",
        right: "fence(Ordering::SeqCst);",
        wrong: "",
        test: "loom models::a_message_that_races_with_the_park_arrives",
    },
    Bug {
        rule: 3, what: "the loop looks first and then says that it is parked",
        file: "heart/inbox.rs", inside: "fn announce_park(",
        right: "self.parked.store(true, Ordering::Relaxed);",
        wrong: "let nothing = incoming.is_empty(); self.parked.store(true, Ordering::Relaxed); if nothing { return true; }",
        test: "loom models::a_message_that_races_with_the_park_arrives",
    },
    Bug {
        rule: 3, what: "a bell that fails is not rung again",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "self.parked.store(true, Ordering::Release);",
        wrong: "break;",
        test: "loom models::a_bell_that_fails_once_is_rung_again_by_the_next_sender",
    },
    Bug {
        rule: 3, what: "every message rings, also while the loop is awake",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "let mine = self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel);",
        wrong: "let mine = true; let _ = self.parked.swap(false, Ordering::AcqRel);",
        test: "loom models::nobody_rings_while_the_loop_is_awake",
    },
    Bug {
        rule: 3, what: "the loop forgets to say that it is awake again",
        file: "heart/inbox.rs", inside: "fn unparked(",
        right: "self.parked.store(false, Ordering::Relaxed);",
        wrong: "",
        test: "loom models::nobody_rings_while_the_loop_is_awake",
    },
    Bug {
        rule: 3, what: "the loop parks without asking its inbox",
        file: "heart/turn.rs", inside: "fn park(",
        right: " && core.inbox.announce_park(&core.incoming)",
        wrong: "",
        test: "it heart::threads::a_wake_reaches_a_loop_that_sleeps",
    },
    Bug {
        rule: 3, what: "a wake for another thread's runtime takes the local route",
        file: "heart/waker.rs", inside: "fn wake(",
        right: "core.number as u16 != word.runtime()",
        wrong: "word.runtime() == 0",
        test: "it heart::wakers::a_waker_of_a_runtime_on_another_thread_wakes_it_from_inside_this_one",
    },
    Bug {
        rule: 3, what: "a runtime that is gone keeps its low bits",
        file: "ground/registry.rs", inside: "fn leave(",
        right: ".map(|place| table.living.remove(place))",
        wrong: ".map(|place| table.living[place].clone())",
        test: "models registry::a_number_is_never_given_twice_and_its_low_bits_come_round",
    },
    Bug {
        rule: 3, what: "the low bits of a runtime that is about to end are another's",
        file: "ground/registry.rs", inside: "fn hide(",
        right: ".map(|place| table.living[place].1.take())",
        wrong: ".map(|place| table.living.remove(place).1)",
        test: "models registry::a_hidden_runtime_is_found_by_nobody_and_keeps_its_low_bits",
    },
    Bug {
        rule: 3, what: "a runtime that is about to end can still be found",
        file: "heart/runtime.rs", inside: "fn shut_down(",
        right: "REGISTRY.hide(self.core.number);",
        wrong: "self.drop_tasks(); REGISTRY.hide(self.core.number);",
        test: "it heart::threads::a_message_to_an_ending_runtime_is_given_back_to_its_sender",
    },
    Bug {
        rule: 3, what: "a runtime whose jobs are not over stays in the registry",
        file: "ground/registry.rs", inside: "fn hide(",
        right: ".map(|place| table.living[place].1.take())",
        wrong: ".filter(|place| table.living[*place].1.as_ref().is_some_and(|entry| Arc::strong_count(entry) <= 2)).map(|place| table.living[place].1.take())",
        test: "loom models::a_jobs_result_reaches_an_ending_loop_and_a_flood_does_not",
    },
    Bug {
        rule: 3, what: "the result of a job that the end waits for does not come home",
        file: "task/blocking.rs", inside: "fn thread_half<",
        right: "home.upgrade()",
        wrong: "home.upgrade().filter(|inbox| Arc::strong_count(inbox) > 2)",
        test: "it heart::shutdown::a_jobs_result_at_the_end_is_dropped_on_the_loops_thread",
    },
    Bug {
        rule: 3, what: "two senders both ring for one park",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "self.parked.swap(false, Ordering::AcqRel)",
        wrong: "true",
        test: "loom models::messages_of_two_threads_that_race_with_the_park_arrive",
    },
    Bug {
        rule: 3, what: "a sender's fence is too weak to keep its push before its look",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "fence(Ordering::SeqCst);",
        wrong: "fence(Ordering::Release);",
        test: "loom models::a_message_arrives_though_a_deadline_ends_the_park_first",
    },
    Bug {
        rule: 3, what: "the loop does not look a second time before it parks",
        file: "heart/inbox.rs", inside: "fn announce_park(",
        right: "incoming.is_empty()",
        wrong: "incoming.is_empty() || true",
        test: "loom models::a_flood_arrives_in_order",
    },
    Bug {
        rule: 3, what: "a loop never says that it is parked",
        file: "heart/inbox.rs", inside: "fn announce_park(",
        right: "self.parked.store(true, Ordering::Relaxed);",
        wrong: "self.parked.store(false, Ordering::Relaxed);",
        test: "loom models::two_loops_wake_each_other",
    },
    Bug {
        rule: 3, what: "the loop's fence is too weak to keep its flag before its look",
        file: "heart/inbox.rs", inside: "fn announce_park(",
        right: "fence(Ordering::SeqCst);",
        wrong: "fence(Ordering::Acquire);",
        test: "loom models::a_loop_that_parks_again_is_woken_again",
    },
    Bug {
        rule: 3, what: "a loop that found a message still counts as parked",
        file: "heart/inbox.rs", inside: "fn announce_park(",
        right: "self.parked.store(false, Ordering::Relaxed);",
        wrong: "",
        test: "loom models::after_a_park_that_was_not_begun_nobody_rings",
    },
    Bug {
        rule: 3, what: "a runtime that is about to end is not hidden",
        file: "ground/registry.rs", inside: "fn hide(",
        right: ".map(|place| table.living[place].1.take())",
        wrong: ".map(|place| table.living[place].1.clone())",
        test: "loom models::a_wake_reaches_the_loop_while_it_lives_and_harms_nobody_afterwards",
    },
    Bug {
        rule: 3, what: "a message for a loop that is gone counts as sent",
        file: "heart/inbox.rs", inside: "fn send(",
        right: "self.messages.send(message)?;",
        wrong: "let _ = self.messages.send(message);",
        test: "loom models::a_spawn_that_races_with_the_end_is_run_or_dropped_or_given_back",
    },
    Bug {
        rule: 3, what: "a runtime is found by the low bits of its number alone",
        file: "ground/registry.rs", inside: "fn exact(",
        right: "*found == number",
        wrong: "*found == number || true",
        test: "loom models::a_message_reaches_its_runtime_while_others_come_and_go",
    },
    Bug {
        rule: 3, what: "a queue's count is set to zero when its lock is free again",
        file: "ground/queue.rs", inside: "fn pop(",
        right: "let mut messages = self.shared.lock();",
        wrong: "let mut messages = Some(self.shared.lock().as_mut().map(std::mem::take).unwrap_or_default());",
        test: "loom models::a_flood_arrives_in_order",
    },
    Bug {
        rule: 3, what: "a queue that has no consumer takes messages",
        file: "ground/queue.rs", inside: "fn drop(",
        right: "let _left = self.shared.lock().take();",
        wrong: "let _left = self.shared.lock().as_mut().map(std::mem::take);",
        test: "loom models::a_spawn_that_races_with_the_end_is_run_or_dropped_or_given_back",
    },
    Bug {
        rule: 1, what: "a queue's last messages are dropped under its lock",
        file: "ground/queue.rs", inside: "fn drop(",
        right: "let _left = self.shared.lock().take();",
        wrong: "*self.shared.lock() = None;",
        test: "loom models::a_message_that_sends_when_the_end_drops_it_finds_the_lock_free",
    },
    Bug {
        rule: 3, what: "a hook's second sleep is not announced, and is slept",
        file: "heart/turn.rs", inside: "fn park_within(",
        right: "parked.get_or_insert_with(|| sleep_in_kernel(core, timeout(core)));",
        wrong: "parked = Some(sleep_in_kernel(core, timeout(core)));",
        test: "it heart::outside_turns::a_hook_that_sleeps_twice_sleeps_once",
    },
    Bug {
        rule: 1, what: "an observer's panic goes on while the root's output is in the loop's hands",
        file: "heart/runtime.rs", inside: "fn turn<",
        right: "core.observe(|| Event::TurnEnd { turn, polls });",
        wrong: "core.observe_between_steps(|| Event::TurnEnd { turn, polls });",
        test: "it see::observers::a_root_that_returned_is_told_so_although_an_observer_panicked",
    },
    // --- 4: readiness is remembered until it is disproved ----------------------------------------------
    Bug {
        rule: 4, what: "a short read forgets that the peer has hung up",
        file: "heart/reactor/mod.rs", inside: "fn fell_short(",
        right: "Latches::closed(direction).union(urgent)",
        wrong: "urgent",
        test: "it net::streams::a_short_read_does_not_forget_the_end",
    },
    Bug {
        rule: 4, what: "a read that urgent data cuts short is taken for the last",
        file: "heart/reactor/mod.rs", inside: "fn fell_short(",
        right: "Latches::closed(direction).union(urgent)",
        wrong: "Latches::closed(direction).without(urgent)",
        test: "it net::short_reads::bytes_behind_urgent_data_are_read",
    },
    Bug {
        rule: 4, what: "a read that fills its buffer is taken for a short one",
        file: "net/socket.rs", inside: "fn moved(",
        right: "moved < asked",
        wrong: "moved <= asked",
        test: "it net::streams::a_buffer_smaller_than_the_data_leaves_the_rest_readable_at_once",
    },
    Bug {
        rule: 4, what: "a second waiter takes the first one's place",
        file: "heart/reactor/source.rs", inside: "fn add_beside(",
        right: "Some(_) => self.others.get_or_insert_with(|| Box::new(Others(Vec::new()))).0.push(waiting),",
        wrong: "Some(first) => *first = waiting,",
        test: "it net::waiters::no_reader_of_a_shared_stream_is_forgotten",
    },
    Bug {
        rule: 4, what: "of several waiters one alone is woken",
        file: "heart/reactor/source.rs", inside: "fn take_others(",
        right: ".partition(|waiting| waiting.has_come(come))",
        wrong: ".partition(|waiting| false && waiting.has_come(come))",
        test: "it net::waiters::no_reader_of_a_shared_stream_is_forgotten",
    },
    Bug {
        rule: 4, what: "a waiter that is given up stays",
        file: "heart/reactor/mod.rs", inside: "fn forget(",
        right: "self.with(key, |source| source.remove(direction, waiter))??",
        wrong: "self.with(key, |source| None.filter(|_: &Waiting| source.serial == 0 || (direction, waiter) == (direction, waiter)))??",
        test: "it net::halves::what_is_given_up_is_awaited_no_more",
    },
    Bug {
        rule: 4, what: "what a future was woken with first is what wakes it for ever",
        file: "heart/reactor/source.rs", inside: "fn add_beside(",
        right: "return Some(std::mem::replace(there, waiting).waker);",
        wrong: "let _ = there; return Some(waiting.waker);",
        test: "it net::waiters::a_future_polled_with_changing_wakers_keeps_the_latest_only",
    },
    Bug {
        rule: 4, what: "a connection that was made and reset is taken for one that failed",
        file: "net/tcp_stream.rs", inside: "fn is_over(",
        right: "matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)",
        wrong: "false",
        test: "it net::connect::a_connection_reset_before_a_look_is_as_a_blocking_socket_sees_it",
    },
    Bug {
        rule: 4, what: "an empty buffer waits for the socket to be ready",
        file: "net/stream.rs", inside: "pub(crate) fn read(",
        right: ".ready_if(needs_nothing)",
        wrong: ".ready_if(false && needs_nothing)",
        test: "it net::empty_buffers::an_operation_on_nothing_is_ready_at_once_where_any_other_waits",
    },
    Bug {
        rule: 4, what: "a guard clears a readiness that is newer than its attempt",
        file: "io/async_fd.rs", inside: "pub fn clear_ready(",
        right: "if self.turn == turn() {",
        wrong: "if self.turn <= turn() {",
        test: "it net::async_fd::a_guard_that_is_older_than_the_news_does_not_clear_them",
    },
    Bug {
        rule: 4, what: "an attempt of a guard that would block leaves the readiness as it was",
        file: "io/async_fd.rs", inside: "pub fn try_io<R>(\n        &mut self,",
        right: "self.fd.socket.came_to_nothing(self.direction, &error);",
        wrong: "let _ = &error;",
        test: "it net::async_fd::an_attempt_that_would_block_clears_the_readiness_and_another_does_not",
    },
    Bug {
        rule: 4, what: "of many who share a socket, those who have to go are not woken",
        file: "net/waiters.rs", inside: "fn thin_out(",
        right: "gone.into_iter().flatten().for_each(Waker::wake);",
        wrong: "drop(gone);",
        test: "it heart::leftovers::a_shared_stream_polled_with_ever_new_wakers_keeps_few_of_them",
    },
    Bug {
        rule: 4, what: "an empty buffer that is polled waits for the socket to be ready",
        file: "net/stream.rs", inside: "pub(crate) fn poll_read(",
        right: "if buffer.is_empty() {",
        wrong: "if false && buffer.is_empty() {",
        test: "it net::empty_buffers::an_operation_on_nothing_is_ready_at_once_where_any_other_waits",
    },
    Bug {
        rule: 4, what: "an empty buffer waits for a child's output",
        file: "process/pipes.rs", inside: "pub fn read<'a>(",
        right: ".ready_if(needs_nothing)",
        wrong: ".ready_if(false && needs_nothing)",
        test: "it net::empty_buffers::an_operation_on_nothing_is_ready_at_once_where_any_other_waits",
    },
    Bug {
        rule: 4, what: "a read of nothing waits for the input, and takes its end",
        file: "io/stdin.rs", inside: "fn poll_read(cx",
        right: "if buffer.is_empty() {",
        wrong: "if false && buffer.is_empty() {",
        test: "it process::stdin::an_empty_buffer_does_not_take_the_end_of_the_input",
    },
    Bug {
        rule: 4, what: "a write of nothing wakes the task that waits for something in memory",
        file: "net/duplex.rs", inside: "fn poll_write(&self",
        right: "if bytes.is_empty() {",
        wrong: "if bytes.is_empty() { return self.poll_with(cx, number, |_| Some(Ok(0))); } if false {",
        test: "it net::empty_buffers::a_read_of_nothing_wakes_nobody_who_waits_for_something",
    },
    // --- 5: a batch sets latches; deregister before closing ---------------------------------------------
    Bug {
        rule: 5, what: "a closed socket is not deregistered",
        file: "heart/reactor/mod.rs", inside: "fn deregister(",
        right: "let _ = self.poll.borrow().registry().deregister(io);",
        wrong: "let _ = io;",
        test: "it net::registrations::a_closed_socket_is_reported_no_more_though_its_descriptor_lives_on",
    },
    Bug {
        rule: 5, what: "a slot is kept when the kernel knows nothing of its socket",
        file: "heart/reactor/mod.rs", inside: "fn deregister(",
        right: "let _ = self.poll.borrow().registry().deregister(io);",
        wrong: "if self.poll.borrow().registry().deregister(io).is_err() { return Vec::new(); }",
        test: "it net::registrations::a_descriptor_that_was_replaced_behind_our_back_does_not_stop_the_loop",
    },
    Bug {
        rule: 5, what: "a forked child deregisters its parent's sockets",
        file: "heart/reactor/mod.rs", inside: "fn is_foreign_process(",
        right: "forks() != self.forks",
        wrong: "forks() != self.forks && false",
        test: "it process::system_faults::a_forked_child_may_drop_all_it_inherited_without_disturbing_its_parent",
    },
    Bug {
        rule: 5, what: "somebody is woken while the batch is still coming in",
        file: "heart/reactor/mod.rs", inside: "fn park(",
        right: "waker: source.take_first(news) };",
        wrong: "waker: None }; source.take_first(news).into_iter().for_each(Waker::wake);",
        test: "it heart::reentrancy::the_wake_and_the_drop_of_a_sockets_stored_waker_may_do_anything",
    },
    Bug {
        rule: 5, what: "another runtime's waker is woken as one of this loop's while the batch is being read",
        file: "heart/waker.rs", inside: "fn own_word(",
        right: " && word.runtime() == core.number as u16",
        wrong: " && core.number > 0",
        test: "it heart::wakers::a_socket_wakes_the_task_of_another_runtime_whose_waker_was_left",
    },
    Bug {
        rule: 5, what: "another crate's waker is taken for one of this loop's while the batch is being read",
        file: "heart/waker.rs", inside: "fn own_word(",
        right: "(ptr::eq(waker.vtable(), &PLAIN) && word.runtime() == core.number as u16)",
        wrong: "(!ptr::eq(waker.vtable(), &PLAIN) || word.runtime() == core.number as u16)",
        test: "it heart::reentrancy::the_wake_and_the_drop_of_a_sockets_stored_waker_may_do_anything",
    },
    Bug {
        rule: 5, what: "a wake of our own overtakes the foreign ones of its batch where nobody observes",
        file: "heart/reactor/mod.rs", inside: "fn park(",
        right: "if !arrivals.is_empty() || !at_once(&first) {",
        wrong: "if !at_once(&first) {",
        test: "it heart::wakers::a_batch_of_events_wakes_in_its_order_whether_it_is_observed_or_not",
    },
    Bug {
        rule: 5, what: "an observer is not told of an event whose waker is woken while the batch is being read",
        file: "heart/turn.rs", inside: "fn deliver_at_once(",
        right: "if core.is_observed() {",
        wrong: "if core.is_observed() && false {",
        test: "it see::observers::a_panic_in_an_observer_leaves_no_task_that_neither_ends_nor_runs",
    },
    // --- 6: no timer fires early -------------------------------------------------------------------------
    Bug {
        rule: 6, what: "deadlines round down to the tick",
        file: "heart/timers.rs", inside: "fn ticks_up(",
        right: ".div_ceil(TICK.subsec_nanos())",
        wrong: " / TICK.subsec_nanos()",
        test: "it time::timers::a_deadline_off_the_milliseconds_beat_is_rounded_up_to_it",
    },
    Bug {
        rule: 6, what: "the time rounds up to the tick",
        file: "heart/timers.rs", inside: "fn collect_due(",
        right: "ticks_down(self.uptime())",
        wrong: "ticks_up(self.uptime())",
        test: "it time::timers::a_loop_that_never_rests_fires_no_timer_early",
    },
    Bug {
        rule: 6, what: "a list is emptied without regard to the digits above it",
        file: "heart/wheel.rs", inside: "fn advance(",
        right: "let first_tick = above | digit << shift;",
        wrong: "let first_tick = above & !0xfff | digit << shift;",
        test: "models wheel_model::a_timer_fires_at_its_tick_on_every_edge_at_every_uptime",
    },
    Bug {
        rule: 6, what: "what is due a tick later is due now",
        file: "heart/wheel.rs", inside: "fn cascade(",
        right: "if deadline <= self.now {",
        wrong: "if deadline <= self.now.saturating_add(1) {",
        test: "models wheel_model::the_wheel_does_what_a_sorted_list_does",
    },
    Bug {
        rule: 6, what: "a list that has become empty is still the next one",
        file: "heart/wheel.rs", inside: "fn next_list(",
        right: "if self.first(list).is_some() {",
        wrong: "if true {",
        test: "models wheel_model::the_wheel_does_what_a_sorted_list_does",
    },
    Bug {
        rule: 6, what: "a list's bound is that of an entry which is gone",
        file: "heart/wheel.rs", inside: "fn append(",
        right: "let is_first = head.prev == list;",
        wrong: "let is_first = false;",
        test: "models wheel_model::a_list_that_was_emptied_forgets_who_was_due_first",
    },
    Bug {
        rule: 6, what: "a sleep too long for the clock is none",
        file: "heart/timers.rs", inside: "fn deadline_by_subtraction(",
        right: "map_or(self.end_of(u64::MAX)",
        wrong: "map_or(self.end_of(0)",
        test: "it time::timers::a_sleep_too_long_for_the_clock_is_one_that_does_not_end",
    },
    Bug {
        rule: 6, what: "what a sleep has beyond whole ticks counts for nothing",
        file: "heart/timers.rs", inside: "fn deadline(",
        right: "duration.subsec_nanos() % TICK.subsec_nanos() == 0",
        wrong: "true",
        test: "it time::timers::a_sleep_ends_at_the_first_tick_that_is_not_before_its_deadline",
    },
    Bug {
        rule: 6, what: "cancelling a timer that has fired cancels its slot's next tenant",
        file: "heart/wheel.rs", inside: "fn find(",
        right: "e.serial == serial",
        wrong: "e.serial >= serial",
        test: "models wheel_model::the_wheel_does_what_a_sorted_list_does",
    },
    Bug {
        rule: 6, what: "a timer that was taken out can be taken out again",
        file: "heart/wheel.rs", inside: "fn unhang(",
        right: "entry.serial = 0;",
        wrong: "",
        test: "models wheel_model::the_wheel_does_what_a_sorted_list_does",
    },
    Bug {
        rule: 6, what: "a deadline in the past hangs where now has been already",
        file: "heart/wheel.rs", inside: "fn hang(",
        right: "let deadline = deadline.max(self.now);",
        wrong: "",
        test: "models wheel_model::the_wheel_does_what_a_sorted_list_does",
    },
    Bug {
        rule: 6, what: "a park of more than a minute is one for ever",
        file: "heart/timers.rs", inside: "fn until_next(",
        right: ".saturating_sub(self.uptime()))",
        wrong: ".saturating_sub(self.uptime())).filter(|left| left.as_secs() < 60)",
        test: "it time::intervals::a_period_too_long_for_the_clock_ticks_once",
    },
    Bug {
        rule: 6, what: "a sleep that moved to another task wakes the one before",
        file: "heart/timers.rs", inside: "fn update(",
        right: "Ok(std::mem::replace(&mut pending.waker, waker))",
        wrong: "{ let _kept = &pending.waker; Ok(waker) }",
        test: "it heart::wakers::a_future_that_is_polled_with_two_wakers_wakes_the_latest_alone",
    },
    Bug {
        rule: 6, what: "the virtual clock goes on beyond its end",
        file: "heart/timers.rs", inside: "fn move_virtual_clock(",
        right: ".min(Duration::from_millis(u64::MAX))",
        wrong: "",
        test: "it time::clock_end::a_step_beyond_the_end_of_the_clock_leads_to_its_end_and_all_goes_on",
    },
    // --- 7: a panic belongs to its task --------------------------------------------------------------------
    Bug {
        rule: 7, what: "the wakes behind a waker that panicked wait for a turn's end",
        file: "heart/runtime.rs", inside: "pub fn block_on<",
        right: "deliver_arrivals(&self.core);",
        wrong: "",
        test: "it task::panics::of_two_wakers_that_panic_each_ends_a_block_on_and_the_rest_are_woken",
    },
    Bug {
        rule: 7, what: "a panic in a poll is not caught",
        file: "heart/turn.rs", inside: "fn poll_task(",
        right: "catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(&mut Context::from_waker(&waker))))",
        wrong: "Ok::<_, Box<dyn std::any::Any + Send>>(body.as_mut().poll(&mut Context::from_waker(&waker)))",
        test: "it task::panics::a_panic_in_a_task_reaches_whoever_joins_it_and_nobody_else",
    },
    Bug {
        rule: 7, what: "a panic in the drop of a future is not caught",
        file: "heart/turn.rs", inside: "fn drop_task(",
        right: "catch_unwind(AssertUnwindSafe(|| body.as_mut().empty()))",
        wrong: "Ok::<_, Box<dyn std::any::Any + Send>>(body.as_mut().empty())",
        test: "it task::panics::a_panic_in_the_drop_of_a_future_is_its_tasks_and_the_runtime_goes_on",
    },
    Bug {
        rule: 7, what: "a panic in the drop of an output that nobody wants is not caught",
        file: "heart/turn.rs", inside: "fn end_task(",
        right: "without_panic(|| body.as_mut().empty())",
        wrong: "body.as_mut().empty()",
        test: "it task::panics::a_panic_in_the_drop_of_an_untaken_output_does_no_harm",
    },
    Bug {
        rule: 7, what: "a panic of the root future leaves the thread inside the runtime",
        file: "heart/current.rs", inside: "impl Drop for Entered",
        right: "let mut all",
        wrong: "if std::thread::panicking() { return; } let mut all",
        test: "it task::panics::a_panic_of_the_root_future_is_the_callers_and_the_runtime_can_go_on",
    },
    Bug {
        rule: 7, what: "a guard that is dropped out of order takes out another's core, and leaves its own entered",
        file: "heart/current.rs", inside: "impl Drop for Entered",
        right: "rposition(|core| core.number == self.number)",
        wrong: "rposition(|_| true)",
        test: "it heart::outside_turns::a_guard_dropped_out_of_order_says_so_and_keeps_no_runtime",
    },
    Bug {
        rule: 7, what: "a root future that ends while it is queued is counted as ready for ever",
        file: "heart/tasks/mod.rs", inside: "fn end_root(",
        right: "self.inner.borrow_mut().end(ROOT, Life::Gone);",
        wrong: "self.inner.borrow_mut().slots[ROOT].life = Life::Gone;",
        test: "it task::panics::a_panic_of_the_root_future_is_the_callers_and_the_runtime_can_go_on",
    },
    Bug {
        rule: 7, what: "the task that joins another is woken before the task's future is dropped",
        file: "heart/turn.rs", inside: "fn drop_task(",
        right: "if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body.as_mut().empty())) {",
        wrong: "if let Err(payload) = Ok::<(), Box<dyn std::any::Any + Send>>(()) {",
        test: "it task::join::whoever_joins_runs_after_all_that_the_task_owned_is_gone",
    },
    Bug {
        rule: 9, what: "the boxes of a peak of tasks are kept for ever",
        file: "heart/tasks/mod.rs", inside: "fn vacate(",
        right: "index as usize > MOST_SPARES",
        wrong: "false",
        test: "models tasks_model::empty_bodies_are_kept_for_the_next_tasks_but_not_those_of_a_peak",
    },
    // --- 8: every step of a turn is bounded -------------------------------------------------------------------
    Bug {
        rule: 8, what: "a turn polls for as long as anything is ready",
        file: "heart/turn.rs", inside: "fn poll_ready<",
        right: "for _ in 0..most {",
        wrong: "while most > 0 {",
        test: "it heart::executor::a_turn_makes_as_many_polls_as_it_was_told_and_no_more",
    },
    Bug {
        rule: 8, what: "operations that need not wait cost a task nothing",
        file: "heart/budget.rs", inside: "fn spend(",
        right: ".saturating_sub(1)",
        wrong: "",
        test: "it heart::executor::a_task_whose_joins_are_always_ready_does_not_starve_its_siblings",
    },
    Bug {
        rule: 8, what: "the inbox is drained for as long as messages come",
        file: "heart/turn.rs", inside: "fn drain_inbox(",
        right: ".take(core.incoming.len())",
        wrong: "",
        test: "it heart::threads::what_is_sent_while_the_inbox_is_emptied_waits_for_the_next_turn",
    },
    Bug {
        rule: 8, what: "timers are looked at only when no task is ready",
        file: "heart/runtime.rs", inside: "fn turn<",
        right: "fire_timers(core);",
        wrong: "if core.tasks.ready() == 0 { fire_timers(core); }",
        test: "it heart::executor::tasks_that_are_always_ready_do_not_hold_up_a_timer_that_is_due",
    },
    Bug {
        rule: 8, what: "the kernel is looked at only when no task is ready",
        file: "heart/turn.rs", inside: "fn park(",
        right: "if core.reactor.len() > 0 {",
        wrong: "if core.reactor.len() > 0 && core.tasks.ready() == 0 {",
        test: "it net::fair::thousands_of_ready_tasks_do_not_keep_the_kernel_from_being_heard",
    },
    Bug {
        rule: 8, what: "an exhausted task is not queued behind the others",
        file: "heart/budget.rs", inside: "fn must_yield(",
        right: "if exhausted {",
        wrong: "if exhausted && false {",
        test: "it heart::executor::a_task_whose_joins_are_always_ready_does_not_starve_its_siblings",
    },
    Bug {
        rule: 8, what: "a timer that is set while others fire fires with them",
        file: "heart/wheel.rs", inside: "fn insert(",
        right: "self.hang(slot, deadline);",
        wrong: "if deadline <= self.now { self.append(DUE, slot, deadline) } else { self.hang(slot, deadline) }",
        test: "models wheel_model::what_is_inserted_while_draining_waits_for_the_next_advance",
    },
    Bug {
        rule: 8, what: "the children of a scope share what one poll may do",
        file: "heart/budget.rs", inside: "fn with_own_share<",
        right: "self.operations_left.replace(OPERATIONS_PER_POLL)",
        wrong: "self.operations_left.get()",
        test: "it task::shares::nested_scopes_give_every_child_its_share_beside_a_greedy_future",
    },
    Bug {
        rule: 8, what: "the children of a scope that were woken last come first",
        file: "task/scope.rs", inside: "fn poll_noted(",
        right: "pop_front()",
        wrong: "pop_back()",
        test: "it task::shares::every_child_of_a_thousand_has_its_turn_before_any_has_three",
    },
    Bug {
        rule: 8, what: "what a scope does leaves nothing of the poll to the future beside it",
        file: "heart/budget.rs", inside: "fn with_own_share<",
        right: ".max(around.min(1))",
        wrong: "",
        test: "it task::shares::what_a_scope_does_leaves_the_future_beside_it_something_of_the_poll",
    },
    Bug {
        rule: 8, what: "one poll of a scope polls all of its children, whatever they do",
        file: "task/scope.rs", inside: "fn poll_noted(",
        right: "left = left.saturating_sub(spent.max(1));",
        wrong: "let _ = spent;",
        test: "it task::shares::a_scope_of_greedy_children_holds_up_its_siblings_for_few_shares",
    },
    Bug {
        rule: 8, what: "a limit passes on a future that had nothing left to look with",
        file: "time/timeout.rs", inside: "fn until<",
        right: "!core.may_complete()",
        wrong: "false && core.may_complete()",
        test: "it task::shares::a_limit_does_not_say_that_nothing_came_where_nobody_could_look",
    },
    Bug {
        rule: 8, what: "a ring is locked while a viewer is told what there is",
        file: "see/record/ring.rs", inside: "fn begin_anew(",
        right: "return (cut.beginning(from, &seen, None), from, cut);",
        wrong: "let _tail = self.tail(); return (cut.beginning(from, &seen, None), from, cut);",
        test: "it see::recordings::a_look_at_thousands_of_tasks_lets_the_loop_go_on_meanwhile",
    },
    Bug {
        rule: 8, what: "a sentence waits until stderr has taken it",
        file: "see/stderr.rs", inside: "fn say(self",
        right: "self.wait_while(queue, limit, |",
        wrong: "self.wait_while(queue, limit * 100_000, |",
        test: "it see::stalled_readers::a_log_that_nobody_reads_stops_nothing",
    },
    Bug {
        rule: 8, what: "the bell's thread writes to stderr itself, and is waited for",
        file: "see/serve/mod.rs", inside: "",
        right: "say(format!(\"\\n{}\", monitor::table(&watched)));",
        wrong: "eprintln!(\"\\n{}\", monitor::table(&watched));",
        test: "it see::stalled_readers::a_stderr_that_nobody_reads_keeps_no_runtime_from_ending",
    },
    Bug {
        rule: 8, what: "words for which there is no room are left out in silence",
        file: "see/stderr.rs", inside: "fn say(self",
        right: "queue.left_out += 1;",
        wrong: "",
        test: "it see::stalled_readers::words_for_which_there_was_no_room_are_counted",
    },
    Bug {
        rule: 8, what: "the end of a process waits until stderr has taken all",
        file: "see/stderr.rs", inside: "fn flush(",
        right: "AT_THE_END",
        wrong: "AT_THE_END * 10_000",
        test: "it see::stalled_readers::a_recording_on_a_full_disk_ends_although_stderr_stalls",
    },
    Bug {
        rule: 8, what: "a recording waits for a reader that takes nothing",
        file: "see/asked/to_file.rs", inside: "fn write(&mut self",
        right: "if Instant::now() >= until {",
        wrong: "if Instant::now() >= until && false {",
        test: "it see::stalled_readers::a_recording_into_a_pipe_waits_for_no_reader",
    },
    Bug {
        rule: 8, what: "a recording waits for somebody to open its pipe",
        file: "see/asked/claim.rs", inside: "fn open_one(",
        right: "libc::O_NONBLOCK | ",
        wrong: "",
        test: "it see::stalled_readers::a_recording_into_a_pipe_waits_for_no_reader",
    },
    Bug {
        rule: 8, what: "what a finding might say is made at every poll",
        file: "see/diagnose/mod.rs", inside: "fn poll_started(",
        right: "self.started.set(Some(started));",
        wrong: "self.started.set(Some(started)); drop(current().map(|core| Dump::of(&core).tasks.iter().map(|row| format!(\"{:?}\", row.name).len()).sum::<usize>()));",
        test: "it see::diagnosis::a_names_cost_is_paid_when_a_sentence_is_made_not_at_every_poll",
    },
    Bug {
        rule: 8, what: "what an error might say is made at every abort and cancel",
        file: "task/asker.rs", inside: "fn asker(",
        right: "core.tasks.info(task).and_then(|info| info.name)",
        wrong: "core.tasks.info(task).and_then(|info| info.name).inspect(|name| drop(format!(\"{name:?}\")))",
        test: "it see::diagnosis::a_names_cost_is_paid_when_a_sentence_is_made_not_at_every_poll",
    },
    // --- 9: nothing spins ----------------------------------------------------------------------------------------
    Bug {
        rule: 9, what: "an idle loop looks every millisecond",
        file: "heart/turn.rs", inside: "fn timeout(",
        right: "core.timers.until_next() }",
        wrong: "core.timers.until_next().or(Some(Duration::from_millis(1))) }",
        test: "it heart::executor::a_loop_with_nothing_to_do_does_nothing",
    },
    Bug {
        rule: 9, what: "accept tries again at once when no descriptor is left",
        file: "net/accept.rs", inside: "fn pause_after(",
        right: "libc::ENOSPC => Some(growing(failures))",
        wrong: "libc::ENOSPC => Some(Duration::ZERO)",
        test: "it process::system_faults::a_listener_without_descriptors_rests_and_recovers",
    },
    Bug {
        rule: 9, what: "accept gives up when no descriptor is left",
        file: "net/accept.rs", inside: "fn pause_after(",
        right: "libc::ENOSPC => Some(growing(failures))",
        wrong: "libc::ENOSPC => None.or_else(|| Some(growing(failures)).filter(|_| false))",
        test: "it process::system_faults::a_listener_without_descriptors_rests_and_recovers",
    },
    Bug {
        rule: 9, what: "a wait that times out keeps its timer",
        file: "time/sleep.rs", inside: "impl Drop for Sleep",
        right: "if let Stage::Set(slot, serial) = self.stage() {",
        wrong: "if let (Stage::Set(slot, serial), false) = (self.stage(), true) {",
        test: "it heart::metrics::live_counts_follow_the_tasks_and_timers",
    },
    Bug {
        rule: 9, what: "a thread without jobs says that it ends, and ends a moment later",
        file: "ground/pool.rs", inside: "fn work(",
        right: "state.unfinished -= 1;",
        wrong: "state.unfinished -= 1; if state.unfinished == 0 { drop(state); state = self.lock(); break; }",
        test: "loom pool_models::a_job_that_comes_while_the_last_thread_goes_idle_is_run",
    },
    Bug {
        rule: 9, what: "a thread whose time is up ends although a job is on its way to it",
        file: "ground/pool.rs", inside: "fn work(",
        right: "waited.1.timed_out() && state.waiting.is_empty()",
        wrong: "waited.1.timed_out()",
        test: "loom pool_models::a_job_that_comes_while_the_last_thread_ends_is_run",
    },
    Bug {
        rule: 9, what: "a thread that runs a job is taken for one that is free",
        file: "ground/pool.rs", inside: "fn submit(",
        right: "state.threads.len() <= state.unfinished",
        wrong: "state.threads.is_empty()",
        test: "loom pool_models::a_job_gets_the_one_it_waits_for_while_a_thread_goes_idle",
    },
    Bug {
        rule: 9, what: "only the jobs that run count when a thread's time is up",
        file: "ground/pool.rs", inside: "fn work(",
        right: "waited.1.timed_out() && state.waiting.is_empty()",
        wrong: "waited.1.timed_out() && state.running.is_empty()",
        test: "loom pool_models::time_that_passes_while_a_job_is_on_its_way_does_not_orphan_it",
    },
    Bug {
        rule: 9, what: "a job that comes tells no thread",
        file: "ground/pool.rs", inside: "fn submit(",
        right: "self.shared.a_job_came.notify_one();",
        wrong: "",
        test: "loom pool_models::a_job_that_comes_while_the_last_thread_goes_idle_is_run",
    },
    Bug {
        rule: 9, what: "the end of the pool waits for no job",
        file: "ground/pool.rs", inside: "fn close(",
        right: "while !state.threads.is_empty() {",
        wrong: "while false && !state.threads.is_empty() {",
        test: "loom pool_models::the_end_waits_for_a_job_that_runs_and_drops_one_that_has_not_begun",
    },
    Bug {
        rule: 9, what: "the end of the pool is told to one thread alone",
        file: "ground/pool.rs", inside: "fn close(",
        right: "self.shared.a_job_came.notify_all();",
        wrong: "self.shared.a_job_came.notify_one();",
        test: "loom pool_models::the_end_reaches_every_thread_whether_it_is_idle_or_about_to_end",
    },
    Bug {
        rule: 9, what: "a thread that ends tells nobody",
        file: "ground/pool.rs", inside: "fn end(",
        right: "self.a_thread_ended.notify_all();",
        wrong: "",
        test: "loom pool_models::the_end_reaches_every_thread_whether_it_is_idle_or_about_to_end",
    },
    Bug {
        rule: 9, what: "a child's end is heard by its signal alone",
        file: "process/child.rs", inside: "fn poll(",
        right: "ready!(look.poll(cx, at));",
        wrong: "let _ = look; return Poll::Pending;",
        test: "it process::system_faults::a_childs_end_is_heard_although_its_signal_is_blocked",
    },
    Bug {
        rule: 9, what: "tasks that share a socket push each other out, and wake each other for ever",
        file: "net/waiters.rs", inside: "fn may_stay(",
        right: "word.runtime() == core.number as u16",
        wrong: "word.runtime() != core.number as u16",
        test: "it heart::leftovers::hundreds_of_tasks_on_one_stream_all_hear_its_news_without_spinning",
    },
    // --- 10: same seed, same run ----------------------------------------------------------------------------------
    Bug {
        rule: 10, what: "the runtime's number gets into the choices",
        file: "unentered.rs", inside: "fn observed_by(",
        right: "Tasks::new(number, settings.seed)",
        wrong: "Tasks::new(number, settings.seed.map(|seed| seed ^ u64::from(number)))",
        test: "it heart::same_seed::the_same_seed_gives_the_same_trace_in_every_run_and_on_every_thread",
    },
    Bug {
        rule: 10, what: "the virtual clock jumps although a blocking job is away",
        file: "heart/turn.rs", inside: "fn park_virtually(",
        right: " && core.outside_waits.get() == 0",
        wrong: "",
        test: "it time::timers::the_virtual_clock_does_not_jump_while_a_blocking_job_is_away",
    },
    Bug {
        rule: 10, what: "the virtual clock jumps although a socket is awaited",
        file: "heart/turn.rs", inside: "fn park_virtually(",
        right: "!core.reactor.is_awaited() && ",
        wrong: "",
        test: "it heart::same_seed::the_virtual_clock_does_not_jump_while_a_socket_is_awaited",
    },
    Bug {
        rule: 10, what: "the virtual clock jumps over the pauses of a task that waits for room",
        file: "net/backoff.rs", inside: "fn insist<",
        right: "Pause::new(&core, growing(failures.min(3)), at).await;",
        wrong: "crate::time::sleep(growing(failures.min(3))).await;",
        test: "it net::unix::the_virtual_clock_does_not_jump_while_a_full_listener_is_awaited",
    },
    Bug {
        rule: 10, what: "the virtual clock jumps a tick too far",
        file: "heart/turn.rs", inside: "fn park_virtually(",
        right: "core.timers.move_virtual_clock(timeout);",
        wrong: "core.timers.move_virtual_clock(timeout + Duration::from_millis(1));",
        test: "it heart::same_seed::the_virtual_clock_jumps_exactly_to_the_next_deadline",
    },
    Bug {
        rule: 10, what: "without a seed the newest runs first",
        file: "heart/ready.rs", inside: "fn push(",
        right: "self.later.push(last);",
        wrong: "self.later.insert(0, last);",
        test: "it heart::executor::ready_tasks_run_in_the_order_in_which_they_became_ready",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::{BUGS, Bug, LIBRARIES};
    use crate::tree::project;

    #[test]
    fn every_bug_can_be_planted_in_exactly_one_place() {
        let cannot = BUGS.iter().filter_map(|bug| {
            let text = fs::read_to_string(project().join(bug.path())).map_err(|error| format!("{}: {error}", bug.file));
            text.and_then(|text| bug.planted(&text)).err()
        });
        let cannot: Vec<String> = cannot.collect();
        assert!(cannot.is_empty(), "to mend in tests/planted/bugs.rs:\n{}", cannot.join("\n"));
    }

    #[test]
    fn every_bug_is_a_line_and_changes_something() {
        for bug in BUGS {
            assert!(!bug.right.contains('\n') && !bug.wrong.contains('\n'), "{}", bug.what);
            assert_ne!(bug.right, bug.wrong, "{}", bug.what);
        }
    }

    #[test]
    fn every_test_that_is_to_kill_is_there() {
        for bug in BUGS {
            let (module, test) = bug.name().rsplit_once("::").expect("module and test");
            let folder = if bug.program() == LIBRARIES { "interop/tests/libraries" } else { bug.program() };
            let path = format!("tests/{folder}/{}.rs", module.replace("::", "/"));
            let text = fs::read_to_string(project().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(text.contains(&format!("\nfn {test}() {{")), "{path} has no test {test}, for \"{}\"", bug.what);
        }
    }

    #[test]
    fn every_model_has_a_planted_bug() {
        for module in ["models", "pool_models"] {
            let text = fs::read_to_string(project().join(format!("tests/loom/{module}.rs"))).expect("they are there");
            let models = text.split("#[test]\nfn ").skip(1).filter_map(|test| test.split_once('('));
            for (model, _) in models {
                let test = format!("loom {module}::{model}");
                assert!(BUGS.iter().any(|bug| bug.test == test), "no planted bug makes {model} fail");
            }
        }
    }

    #[test]
    fn every_rule_that_a_test_can_hold_has_planted_bugs() {
        let rules: BTreeSet<u8> = BUGS.iter().map(|bug| bug.rule).collect();
        assert_eq!(rules, (0..=10).collect());
        let sentences: BTreeSet<&str> = BUGS.iter().map(|bug| bug.what).collect();
        assert_eq!(sentences.len(), BUGS.len(), "two bugs are told in the same words");
    }

    #[test]
    fn a_bug_is_planted_inside_its_function_alone() {
        let text = "fn a() {\n    x;\n}\n\nfn b() {\n    x;\n}\n";
        let bug = |inside, right| {
            Bug { rule: 1, what: "w", file: "f", inside, right, wrong: "y", test: "it t::t" }.planted(text)
        };
        assert_eq!(bug("fn b(", "x").unwrap(), "fn a() {\n    x;\n}\n\nfn b() {\n    y;\n}\n");
        assert!(bug("", "x").unwrap_err().contains("2 times"));
        assert!(bug("fn a(", "z").unwrap_err().contains("0 times"));
        assert!(bug("fn c(", "x").unwrap_err().contains("no `fn c(`"));
    }
}
