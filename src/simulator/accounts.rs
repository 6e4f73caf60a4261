//! The record of what was done to users: each one's passwords, in order.
//!
//! Invariant: the last password of a user's history is the current one.

use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// In the order in which something was first done to them.
    users: Vec<Account>,
    by_id: HashMap<Arc<str>, usize>,
}

/// One user to whom something was done.
#[derive(Debug)]
pub(super) struct Account {
    pub id: Arc<str>,
    pub passwords: Vec<Box<str>>,
    /// Repeats apart.
    pub resets: u64,
    /// Of a user pool: the state that the last reset left the user in.
    pub status: Option<&'static str>,
    /// Of a user pool: the times that every session was ended.
    pub sign_outs: u64,
}

impl Accounts {
    pub(super) fn all(&self) -> &[Account] {
        &self.users
    }

    pub(super) fn get(&self, id: &str) -> Option<&Account> {
        self.by_id.get(id).map(|&user| &self.users[user])
    }

    /// The account at a place that [`place`](Self::place) told.
    pub(super) fn at(&mut self, place: usize) -> &mut Account {
        &mut self.users[place]
    }

    /// Returns the place of a user's account, which begins here if need be.
    pub(super) fn place(&mut self, id: &str) -> usize {
        if let Some(&user) = self.by_id.get(id) {
            return user;
        }
        let id: Arc<str> = id.into();
        let user = self.users.len();
        self.by_id.insert(Arc::clone(&id), user);
        // Nearly everyone is reset once.
        let passwords = Vec::with_capacity(1);
        self.users.push(Account { id, passwords, resets: 0, status: None, sign_outs: 0 });
        user
    }
}
