//! Time: timers, intervals, and the end of the clock.

mod clock_end;
mod intervals;
mod timers;
