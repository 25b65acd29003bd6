//! The rules: a floor of cells, players who walk on it and paint, rounds of a minute and a half.
//!
//! Nothing here knows of sockets or of time but the tick. A player turns and uses the broad brush, and that is all
//! a client can ask for: where it stands and what it owns is the world's.

use std::collections::BTreeMap;
use std::io::Read;

use async_tungstenite::tungstenite::{Bytes, Message};
use oneloop_demos::server::printable;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub(crate) const WIDTH: u8 = 72;
pub(crate) const HEIGHT: u8 = 48;
/// How long a name may be, in letters.
const NAME_MAX: usize = 16;
/// How many players there may be, with those who are away.
const PLAYERS_MAX: usize = 500;
/// How many ticks a step takes.
const STEP: u32 = 3;
/// How many ticks the broad brush lasts, with a step in each, and how many pass before the next.
const BRUSH: u32 = 12;
const BRUSH_REST: u32 = 100;
/// How many ticks a round takes, and the pause after it.
const ROUND: u32 = 90 * 20;
const PAUSE: u32 = 6 * 20;
/// How many ticks a player who is away keeps the place, and how many pass between two returns.
const AWAY: u32 = 30 * 20;
const RETURN: u32 = 10;
/// How often the table of the best is told, in ticks, and how many are in it.
const TABLE: u32 = 10;
const BEST: usize = 8;

/// A player's number. 0 is nobody.
pub(crate) type Id = u16;

/// A wish of a client.
#[derive(Debug, PartialEq)]
pub(crate) enum Wish {
    Turn(i8, i8),
    Brush,
    Name(String),
}

impl Wish {
    /// A wish as it goes over the wire: one letter, and after `n` a name.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        match message {
            b"u" => Some(Self::Turn(0, -1)),
            b"d" => Some(Self::Turn(0, 1)),
            b"l" => Some(Self::Turn(-1, 0)),
            b"r" => Some(Self::Turn(1, 0)),
            b" " => Some(Self::Brush),
            [b'n', name @ ..] => Some(Self::Name(short(&String::from_utf8_lossy(name)))),
            _ => None,
        }
    }
}

/// A name as all see it, or nothing where there is nothing to see.
pub(crate) fn short(name: &str) -> String {
    printable(name).chars().take(NAME_MAX).collect::<String>().trim_end().to_owned()
}

/// The name of a player who gave none, or this one.
fn name_or_guest(name: String, id: Id) -> String {
    if name.is_empty() { format!("guest {id}") } else { name }
}

struct Player {
    name: String,
    token: String,
    at: (u8, u8),
    way: (i8, i8),
    owns: u32,
    brush_until: u32,
    brush_again: u32,
    came: u32,
    away_since: Option<u32>,
}

pub(crate) struct World {
    tick: u32,
    /// The tick at which this round ends, and then the pause.
    round_ends: u32,
    floor: Vec<Id>,
    players: BTreeMap<Id, Player>,
    secret: [u8; 32],
    came: u64,
    winner: Option<String>,
}

impl Default for World {
    fn default() -> Self {
        let mut secret = [0; 32];
        // Tokens that nobody can guess. Without the system's random numbers there is no game.
        let read = std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut secret));
        read.expect("/dev/urandom gives random numbers");
        let floor = vec![0; usize::from(WIDTH) * usize::from(HEIGHT)];
        Self { tick: 0, round_ends: ROUND, floor, players: BTreeMap::new(), secret, came: 0, winner: None }
    }
}

/// The welcome of a newcomer.
#[derive(Serialize)]
struct Welcome<'a> {
    you: Id,
    token: &'a str,
    name: &'a str,
}

/// How the game stands.
#[derive(Serialize)]
struct Table<'a> {
    seconds: u32,
    players: usize,
    winner: Option<&'a str>,
    best: Vec<(Id, &'a str, u32)>,
}

impl World {
    /// Lets somebody in, under a new number or, with the token of a player who is known, under the old one. Such
    /// a player may bring a new name along.
    /// Returns whether it was the old one.
    pub(crate) fn enter(&mut self, name: &str, token: &str) -> Result<(Id, bool), &'static str> {
        let tick = self.tick;
        if let Some((id, player)) = self.players.iter_mut().find(|(_, player)| player.token == token) {
            if tick < player.came + RETURN {
                return Err("you have only just come; wait a moment\n");
            }
            (player.came, player.away_since) = (tick, None);
            if !name.is_empty() {
                name.clone_into(&mut player.name);
            }
            return Ok((*id, true));
        }
        let free = (1..=PLAYERS_MAX as Id).find(|id| !self.players.contains_key(id));
        let id = free.ok_or("the floor is full; try again in a moment\n")?;
        self.came += 1;
        let token = self.token();
        let way = [(0, -1), (0, 1), (-1, 0), (1, 0)][fastrand::usize(..4)];
        let at = (fastrand::u8(..WIDTH), fastrand::u8(..HEIGHT));
        let name = name_or_guest(name.to_owned(), id);
        let (owns, brush_until, brush_again) = (0, 0, 0);
        self.players
            .insert(id, Player { name, token, at, way, owns, brush_until, brush_again, came: tick, away_since: None });
        Ok((id, false))
    }

    fn token(&self) -> String {
        let digest = Sha256::new().chain_update(self.secret).chain_update(self.came.to_le_bytes()).finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn leave(&mut self, id: Id) {
        if let Some(player) = self.players.get_mut(&id) {
            player.away_since = Some(self.tick);
        }
    }

    pub(crate) fn wish(&mut self, id: Id, wish: Wish) {
        let Some(player) = self.players.get_mut(&id) else { return };
        match wish {
            Wish::Turn(x, y) => player.way = (x, y),
            Wish::Brush if self.tick >= player.brush_again => {
                player.brush_until = self.tick + BRUSH;
                player.brush_again = self.tick + BRUSH_REST;
            }
            Wish::Brush => {}
            Wish::Name(name) => player.name = name_or_guest(name, id),
        }
    }

    /// Moves on by a tick. Returns what everybody has to be told.
    pub(crate) fn tick(&mut self) -> Vec<Message> {
        self.tick += 1;
        let mut frames = Vec::new();
        self.turn_the_round(&mut frames);
        self.forget_the_absent(&mut frames);
        let moved = if self.winner.is_none() { self.walk() } else { Vec::new() };
        if !moved.is_empty() {
            frames.push(frame(b'm', &moved));
        }
        if self.tick % TABLE == 0 {
            frames.push(self.table());
        }
        frames
    }

    fn turn_the_round(&mut self, frames: &mut Vec<Message>) {
        if self.tick < self.round_ends {
            return;
        }
        if self.winner.take().is_some() {
            self.round_ends = self.tick + ROUND;
            self.floor.fill(0);
            self.players.values_mut().for_each(|player| player.owns = 0);
            frames.push(self.floor_as_frame());
        } else {
            self.round_ends = self.tick + PAUSE;
            let best = self.best().first().map(|(_, name, _)| (*name).to_owned());
            self.winner = Some(best.unwrap_or_else(|| "nobody".to_owned()));
        }
        frames.push(self.table());
    }

    /// Takes out who has been away for too long, with what they own.
    fn forget_the_absent(&mut self, frames: &mut Vec<Message>) {
        let tick = self.tick;
        let is_gone = |player: &Player| player.away_since.is_some_and(|since| tick > since + AWAY);
        let gone: Vec<Id> = self.players.iter().filter(|(_, player)| is_gone(player)).map(|(id, _)| *id).collect();
        for id in gone {
            self.players.remove(&id);
            self.floor.iter_mut().filter(|owner| **owner == id).for_each(|owner| *owner = 0);
            frames.push(frame(b'g', &[(id, 0, 0)]));
        }
    }

    /// Everybody's step, if it is due: who stands where now, and what the broad brush painted besides.
    fn walk(&mut self) -> Vec<(Id, u8, u8)> {
        let (tick, mut moved, mut painted) = (self.tick, Vec::new(), Vec::new());
        for (id, player) in &mut self.players {
            let is_broad = tick < player.brush_until;
            if player.away_since.is_some() || !(is_broad || (tick + u32::from(*id)) % STEP == 0) {
                continue;
            }
            let (x, y) = player.at;
            let next = (
                x.saturating_add_signed(player.way.0).min(WIDTH - 1),
                y.saturating_add_signed(player.way.1).min(HEIGHT - 1),
            );
            player.at = next;
            moved.push((*id, next.0, next.1));
            if is_broad {
                for (dx, dy) in [(player.way.1, player.way.0), (-player.way.1, -player.way.0)] {
                    if let (Some(x), Some(y)) = (next.0.checked_add_signed(dx), next.1.checked_add_signed(dy)) {
                        painted.push((*id, x, y));
                    }
                }
            }
        }
        painted.retain(|(_, x, y)| *x < WIDTH && *y < HEIGHT);
        for (id, x, y) in painted.iter().chain(&moved) {
            self.paint(*id, *x, *y);
        }
        // A high bit tells paint from a step.
        let painted = painted.into_iter().map(|(id, x, y)| (id, x | 0x80, y));
        painted.chain(moved).collect()
    }

    fn paint(&mut self, id: Id, x: u8, y: u8) {
        let before = std::mem::replace(&mut self.floor[usize::from(y) * usize::from(WIDTH) + usize::from(x)], id);
        if let Some(loser) = self.players.get_mut(&before) {
            loser.owns -= 1;
        }
        if let Some(owner) = self.players.get_mut(&id) {
            owner.owns += 1;
        }
    }

    /// The frames for somebody who has just come.
    pub(crate) fn everything(&self, id: Id) -> Vec<Message> {
        let Some(player) = self.players.get(&id) else { return Vec::new() };
        let welcome = Welcome { you: id, token: &player.token, name: &player.name };
        let all: Vec<_> = self.players.iter().map(|(id, player)| (*id, player.at.0, player.at.1)).collect();
        vec![json(&welcome), self.floor_as_frame(), frame(b'p', &all), self.table()]
    }

    fn floor_as_frame(&self) -> Message {
        let mut bytes = vec![b'f', WIDTH, HEIGHT];
        bytes.extend(self.floor.iter().flat_map(|owner| owner.to_le_bytes()));
        Message::Binary(Bytes::from(bytes))
    }

    fn best(&self) -> Vec<(Id, &str, u32)> {
        let mut best: Vec<_> =
            self.players.iter().map(|(id, player)| (*id, player.name.as_str(), player.owns)).collect();
        best.sort_by_key(|(id, _, owns)| (std::cmp::Reverse(*owns), *id));
        best.truncate(BEST);
        best
    }

    fn table(&self) -> Message {
        let players = self.players.values().filter(|player| player.away_since.is_none()).count();
        let seconds = self.round_ends.saturating_sub(self.tick).div_ceil(20);
        json(&Table { seconds, players, winner: self.winner.as_deref(), best: self.best() })
    }
}

/// Numbers with places, four bytes each.
fn frame(kind: u8, places: &[(Id, u8, u8)]) -> Message {
    let mut bytes = vec![kind];
    for (id, x, y) in places {
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&[*x, *y]);
    }
    Message::Binary(Bytes::from(bytes))
}

fn json(what: &impl Serialize) -> Message {
    Message::text(serde_json::to_string(what).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(world: &mut World, count: u32) {
        for _ in 0..count {
            world.tick();
        }
    }

    /// Asserts that every player owns what the floor says.
    fn assert_sound(world: &World) {
        for (id, player) in &world.players {
            let owns = world.floor.iter().filter(|owner| *owner == id).count();
            assert_eq!(player.owns as usize, owns, "player {id}");
            assert!(player.at.0 < WIDTH && player.at.1 < HEIGHT);
        }
        assert!(world.floor.iter().all(|owner| *owner == 0 || world.players.contains_key(owner)));
    }

    #[test]
    fn what_players_own_is_what_the_floor_says_whatever_they_wish() {
        let mut world = World::default();
        for n in 0..60 {
            world.enter(&format!("{n}"), "").unwrap();
        }
        for round in 0..2 * (ROUND + PAUSE) {
            for _ in 0..20 {
                let wish = *fastrand::choice(&[b"u", b"d", b"l", b"r", b" "]).unwrap();
                world.wish(fastrand::u16(0..70), Wish::read(wish).unwrap());
            }
            if round % 97 == 0 {
                world.leave(fastrand::u16(0..70));
                world.enter("late", "").unwrap();
            }
            world.tick();
            if round % 50 == 0 {
                assert_sound(&world);
            }
        }
        assert_sound(&world);
    }

    #[test]
    fn a_step_takes_three_ticks_and_the_broad_brush_is_rare() {
        let mut world = World::default();
        let (id, _) = world.enter("me", "").unwrap();
        world.players.get_mut(&id).unwrap().at = (0, 10);
        world.wish(id, Wish::Turn(1, 0));
        ticks(&mut world, 30);
        assert_eq!((world.players[&id].at, world.players[&id].owns), ((10, 10), 10));
        for _ in 0..BRUSH {
            world.wish(id, Wish::Brush);
            world.tick();
        }
        assert!(world.players[&id].at.0 >= 21 && world.players[&id].owns >= 10 + 3 * 11, "{:?}", world.players[&id].at);
        ticks(&mut world, 3);
        let before = world.players[&id].at.0;
        world.wish(id, Wish::Brush);
        ticks(&mut world, 3);
        assert_eq!(world.players[&id].at.0, before + 1);
    }

    #[test]
    fn a_token_gets_the_place_back_until_it_is_forgotten() {
        let mut world = World::default();
        let (id, _) = world.enter("me", "").unwrap();
        ticks(&mut world, 60);
        let (token, owns) = (world.players[&id].token.clone(), world.players[&id].owns);
        world.leave(id);
        ticks(&mut world, AWAY);
        assert_eq!(world.enter("me", &token), Ok((id, true)));
        assert!(owns > 0 && world.players[&id].owns == owns);
        assert!(world.enter("me", &token).is_err(), "a storm of returns is refused");
        world.leave(id);
        ticks(&mut world, AWAY + 1);
        assert!(world.players.is_empty() && world.floor.iter().all(|owner| *owner == 0));
        assert_eq!(world.enter("me", &token), Ok((id, false)));
        assert_ne!(world.players[&id].token, token);
    }

    #[test]
    fn a_round_ends_with_a_winner_and_the_next_begins_on_a_clean_floor() {
        let mut world = World::default();
        world.enter("only", "").unwrap();
        ticks(&mut world, ROUND);
        assert_eq!(world.winner.as_deref(), Some("only"));
        let floor = world.floor.clone();
        ticks(&mut world, PAUSE - 1);
        assert_eq!(world.floor, floor, "nobody moves in the pause");
        world.tick();
        assert!(world.winner.is_none() && world.floor.iter().filter(|owner| **owner != 0).count() <= 1);
        assert_sound(&world);
    }

    #[test]
    fn a_new_name_changes_nothing_but_the_name() {
        let mut world = World::default();
        let (id, _) = world.enter("before", "").unwrap();
        ticks(&mut world, 60);
        let (at, owns, token) = (world.players[&id].at, world.players[&id].owns, world.players[&id].token.clone());
        world.wish(id, Wish::read(b"nafter").unwrap());
        assert_eq!((world.best()[0], world.players[&id].at), ((id, "after", owns), at));
        world.wish(id, Wish::read(format!("n {}\n", "x".repeat(70)).as_bytes()).unwrap());
        assert_eq!(world.players[&id].name, "x".repeat(NAME_MAX));
        world.wish(id, Wish::read(b"n \t").unwrap());
        assert_eq!(world.players[&id].name, format!("guest {id}"));
        world.leave(id);
        assert_eq!(world.enter("back", &token), Ok((id, true)));
        assert_eq!((world.players[&id].name.as_str(), world.players.len()), ("back", 1));
    }

    #[test]
    fn nothing_but_five_letters_and_a_name_is_a_wish() {
        for wrong in [&b""[..], b"x", b"uu", b"U", b"\0", &[b'u'; 1000], "ü".as_bytes()] {
            assert_eq!(Wish::read(wrong), None);
        }
        assert_eq!(Wish::read(b"u"), Some(Wish::Turn(0, -1)));
    }

    #[test]
    fn a_full_floor_says_so() {
        let mut world = World::default();
        let entered = (0..PLAYERS_MAX + 5).filter(|_| world.enter("", "").is_ok()).count();
        assert_eq!(entered, PLAYERS_MAX);
        assert!(world.enter("", "").unwrap_err().contains("full"));
    }
}
