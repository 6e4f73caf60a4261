//! FinSpace's resets: passwords made here, and the client tokens that are still remembered.
//!
//! Invariant: while a token is remembered no second reset happens under it. Time is always passed
//! in, never read here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::simulator::Replay;
use crate::simulator::accounts::{Account, Accounts};

#[derive(Debug)]
pub(super) struct Store {
    accounts: Accounts,
    tokens: Tokens,
    replay: Replay,
}

/// The end of a reset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reset<'a> {
    pub password: &'a str,
    pub replayed: bool,
}

/// The token stands for a reset of another user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenTaken;

impl Store {
    pub(super) fn new(token_ttl: Duration, replay: Replay) -> Store {
        Store { accounts: Accounts::default(), tokens: Tokens::new(token_ttl), replay }
    }

    /// Resets a user's password, or repeats the answer of a remembered token. Without a token it
    /// always resets.
    pub(super) fn reset(
        &mut self,
        user_id: &str,
        token: Option<&str>,
        now: Instant,
        rng: &mut StdRng,
    ) -> Result<Reset<'_>, TokenTaken> {
        self.tokens.turn(now);
        let known = token.and_then(|token| self.tokens.get(token, now));
        if let Some(Memory { user, position, .. }) = known {
            let account = self.accounts.at(user);
            if &*account.id != user_id {
                return Err(TokenTaken);
            }
            let position = match self.replay {
                Replay::SameAnswer => position,
                Replay::NewPassword => renew(account, rng),
            };
            return Ok(Reset { password: &account.passwords[position], replayed: true });
        }

        let user = self.accounts.place(user_id);
        let account = self.accounts.at(user);
        account.resets += 1;
        let position = renew(account, rng);
        if let Some(token) = token {
            let at = now;
            self.tokens.put(token, Memory { user, position, at });
        }
        Ok(Reset { password: &account.passwords[position], replayed: false })
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }
}

/// Makes a new current password and tells its place in the history.
fn renew(account: &mut Account, rng: &mut StdRng) -> usize {
    account.passwords.push(password(rng));
    account.passwords.len() - 1
}

/// 8 to 20 characters, hostile to careless CSV: commas, quotes and equals signs come up, in front
/// too.
fn password(rng: &mut StdRng) -> Box<str> {
    const CHARACTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789\
        !#$%&()*+,-./:;<=>?@[]^_{|}~\"'\\`";
    let length = rng.random_range(8..=20);
    let characters = (0..length).filter_map(|_| CHARACTERS.choose(rng));
    characters.map(|&byte| char::from(byte)).collect()
}

/// Client tokens in two generations: when the young one has reached the time to live, everything in
/// the old one is past it and goes. So forgetting costs nothing per request, and no token stays
/// for longer than twice its time.
#[derive(Debug)]
struct Tokens {
    ttl: Duration,
    young: HashMap<Box<str>, Memory>,
    old: HashMap<Box<str>, Memory>,
    turned: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    user: usize,
    position: usize,
    at: Instant,
}

impl Tokens {
    fn new(ttl: Duration) -> Tokens {
        Tokens { ttl, young: HashMap::new(), old: HashMap::new(), turned: None }
    }

    fn turn(&mut self, now: Instant) {
        let turned = *self.turned.get_or_insert(now);
        if now.saturating_duration_since(turned) >= self.ttl {
            self.old = std::mem::take(&mut self.young);
            self.turned = Some(now);
        }
    }

    fn get(&self, token: &str, now: Instant) -> Option<Memory> {
        let memory = self.young.get(token).or_else(|| self.old.get(token))?;
        (now.saturating_duration_since(memory.at) < self.ttl).then_some(*memory)
    }

    fn put(&mut self, token: &str, memory: Memory) {
        self.young.insert(token.into(), memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const TTL: Duration = Duration::from_mins(10);

    struct Bench {
        store: Store,
        rng: StdRng,
        start: Instant,
    }

    impl Bench {
        fn new(replay: Replay) -> Bench {
            Bench { store: Store::new(TTL, replay), rng: StdRng::seed_from_u64(1), start: Instant::now() }
        }

        /// The password and whether it is a replay's, at so many seconds.
        fn reset(&mut self, user: &str, token: &str, at: u64) -> Result<(String, bool), TokenTaken> {
            let now = self.start + Duration::from_secs(at);
            let token = Some(token).filter(|t| !t.is_empty());
            let reset = self.store.reset(user, token, now, &mut self.rng)?;
            Ok((reset.password.to_owned(), reset.replayed))
        }
    }

    #[test]
    fn a_token_answers_the_same_until_its_time_and_not_beyond() {
        let mut bench = Bench::new(Replay::SameAnswer);
        // So that the generations turn in the middle of the token's life.
        bench.reset("z", "zero", 0).unwrap();
        let (first, _) = bench.reset("a", "t", 400).unwrap();
        assert_eq!(bench.reset("a", "t", 401), Ok((first.clone(), true)));
        assert_eq!(bench.reset("a", "t", 700), Ok((first.clone(), true)));
        assert_eq!(bench.reset("a", "t", 999), Ok((first.clone(), true)));
        let (second, replayed) = bench.reset("a", "t", 1000).unwrap();
        assert!(!replayed && second != first);
        // Its time counts from the second execution.
        assert_eq!(bench.reset("a", "t", 1599), Ok((second, true)));
        assert_eq!(bench.store.accounts.get("a").unwrap().passwords.len(), 2);
        assert_eq!(bench.store.accounts.get("a").unwrap().resets, 2);
    }

    #[test]
    fn a_replay_may_be_asked_to_give_a_new_current_password() {
        let mut bench = Bench::new(Replay::NewPassword);
        let (first, _) = bench.reset("a", "t", 0).unwrap();
        let (second, replayed) = bench.reset("a", "t", 1).unwrap();
        assert!(replayed && first != second);
        let account = bench.store.accounts.get("a").unwrap();
        assert_eq!(account.passwords.last().map(|p| &**p), Some(&*second));
        assert_eq!(account.resets, 1);
    }

    #[test]
    fn a_token_belongs_to_one_user_while_it_is_remembered() {
        let mut bench = Bench::new(Replay::SameAnswer);
        bench.reset("a", "t", 0).unwrap();
        assert_eq!(bench.reset("b", "t", 599), Err(TokenTaken));
        assert!(bench.store.accounts.get("b").is_none());
        assert!(bench.reset("b", "t", 600).is_ok());
    }

    #[test]
    fn without_a_token_every_request_resets() {
        let mut bench = Bench::new(Replay::SameAnswer);
        let (first, _) = bench.reset("a", "", 0).unwrap();
        let (second, replayed) = bench.reset("a", "", 0).unwrap();
        assert!(!replayed && first != second);
    }

    #[test]
    fn tokens_are_forgotten() {
        let mut bench = Bench::new(Replay::SameAnswer);
        for second in 0..10_000 {
            bench.reset("a", &second.to_string(), second).unwrap();
        }
        let kept = bench.store.tokens.young.len() + bench.store.tokens.old.len();
        assert!(kept <= 1200, "{kept} tokens kept");
    }

    #[test]
    fn passwords_fit_the_api_and_show_every_hostile_character() {
        let mut rng = StdRng::seed_from_u64(3);
        let passwords: Vec<_> = (0..2000).map(|_| password(&mut rng)).collect();
        assert!(passwords.iter().all(|p| (8..=20).contains(&p.chars().count())));
        for hostile in [',', '"', '=', '\'', '\\'] {
            assert!(passwords.iter().any(|p| p.contains(hostile)), "{hostile}");
            assert!(passwords.iter().any(|p| p.starts_with(hostile)), "{hostile} in front");
        }
    }
}
