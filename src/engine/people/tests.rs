//! Users of a made-up pool, found by filters and by a walk: both ways must come
//! to the same users as going by the rules over all of them at once.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use proptest::prelude::*;

use super::*;
use crate::engine::dispatch::ask::{Inquiry, ask};
use crate::engine::dispatch::limits::Bounds;
use crate::engine::dispatch::pacer::{Pacer, Rate};
use crate::engine::dispatch::stop::StopReason;
use crate::service::directory::{Attribute, Directory, DirectoryPage, Filter, Naming};
use crate::service::{Cause, Failure, Repeat, ServiceFacts};

/// A pool that gives so many users a page, and now and then a page without any.
struct Pool {
    users: Vec<DirectoryUser>,
    page: usize,
    asked: RefCell<Vec<String>>,
    /// True if it heeds filters.
    filters: bool,
    endless: bool,
    failing: Cell<bool>,
}

impl Pool {
    fn of(users: &[DirectoryUser]) -> Self {
        let asked = RefCell::default();
        Self { users: users.into(), page: 2, asked, filters: true, endless: false, failing: Cell::new(false) }
    }

    fn requests(&self) -> usize {
        self.asked.borrow().len()
    }
}

impl Directory for Pool {
    fn facts(&self) -> ServiceFacts {
        ServiceFacts {
            name: "a pool",
            ids: crate::model::IdForm::UserName,
            repeat: Repeat::SamePassword,
            no_such_user: "Gone",
            user_columns: &[],
            password_life: Duration::from_hours(1),
            refused: "do something",
        }
    }

    fn page(
        &self,
        filter: Option<Filter>,
        next: Option<String>,
    ) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>> {
        self.asked.borrow_mut().push(filter.as_ref().map_or_else(|| "all".into(), Filter::text));
        if self.failing.get() {
            let failure = Failure::without_answer(Cause::Unfit, "InvalidParameterException", "no".into());
            return Box::pin(async move { Err(Failure { is_own: true, status: Some(400), ..failure }) });
        }
        let value = |user: &DirectoryUser, attribute| match attribute {
            Attribute::Username => user.username.clone(),
            Attribute::Sub => user.sub.clone(),
            Attribute::Email => user.email.clone(),
            Attribute::PhoneNumber => user.phone_number.clone(),
            Attribute::PreferredUsername => user.preferred_username.clone(),
        };
        let found: Vec<DirectoryUser> = self
            .users
            .iter()
            .filter(|user| {
                !self.filters || filter.as_ref().is_none_or(|filter| value(user, filter.attribute) == filter.value)
            })
            .cloned()
            .collect();
        let at: usize = next.map_or(0, |next| next.parse().unwrap());
        // Every second page is empty.
        let (from, gives) = (at / 2 * self.page, at % 2 == 1);
        let users: Vec<_> = found.iter().skip(from).take(if gives { self.page } else { 0 }).cloned().collect();
        let more = !gives || from + self.page < found.len();
        let next = if self.endless { Some("1".into()) } else { more.then(|| (at + 1).to_string()) };
        Box::pin(async move { Ok(DirectoryPage { users, next }) })
    }
}

fn put<I: Inquiry>(inquiry: &mut I) -> Result<StopReason, I::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bounds = Bounds { concurrency: 3, max_attempts: 2, deadline: None, throttle_patience: Duration::from_secs(1) };
    runtime.block_on(ask(inquiry, Pacer::start(Rate::PerSecond(1e6)), &bounds, &mut |_| {}))
}

fn people(naming: &Naming, spellings: &[&str]) -> People {
    let mut people = People::new().unwrap();
    for (at, spelling) in spellings.iter().enumerate() {
        people.add(spelling, at as u64 + 2, None).unwrap();
    }
    people.added().unwrap();
    people.name_by(naming.clone());
    people
}

fn looked_up(pool: &Pool, naming: &Naming, spellings: &[&str]) -> People {
    let people = people(naming, spellings);
    assert_eq!(put(&mut Lookups::new(pool, &people, Whom::Roster(u64::MAX))).unwrap(), StopReason::Finished);
    people.settle().unwrap();
    people
}

fn walked(pool: &Pool, naming: &Naming, spellings: &[&str]) -> People {
    let people = people(naming, spellings);
    assert_eq!(put(&mut Walk::new(pool, &people)).unwrap(), StopReason::Finished);
    people.note_complete();
    people.settle().unwrap();
    people
}

fn user(username: &str) -> DirectoryUser {
    let sub = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, username.as_bytes()).to_string();
    DirectoryUser {
        username: username.into(),
        sub,
        email: format!("{}@example.com", username.to_lowercase()),
        email_verified: true,
        status: "CONFIRMED".into(),
        enabled: true,
        ..DirectoryUser::default()
    }
}

fn by_mail() -> Naming {
    Naming { case_sensitive: true, in_place: vec![], beside: vec![Attribute::Email] }
}

/// The user and the first line that a spelling means.
fn meant(people: &People, spelling: &str) -> Result<(String, u64), Refusal> {
    match people.verdict(spelling).unwrap() {
        Verdict::Person(Person { username, first_line, refusal: None, .. }) => Ok((username, first_line)),
        Verdict::Person(Person { refusal: Some(why), .. }) | Verdict::Nobody(why) => Err(why),
        Verdict::NotAsked => panic!("{spelling} was not asked"),
    }
}

#[test]
fn spellings_of_one_user_are_one_user_and_the_first_line_has_it() {
    let ann = user("ann");
    let federated = DirectoryUser { status: "EXTERNAL_PROVIDER".into(), ..user("Google_1") };
    let unconfirmed = DirectoryUser { status: "UNCONFIRMED".into(), ..user("una") };
    let disabled = DirectoryUser { enabled: false, ..user("dis") };
    let pool = Pool::of(&[user("bob"), ann.clone(), federated, unconfirmed, disabled]);
    let spellings = ["ann@example.com", "bob", "ann", &ann.sub, "zoe", "Google_1", "una", "dis", "Ann"];
    for people in [looked_up(&pool, &by_mail(), &spellings), walked(&pool, &by_mail(), &spellings)] {
        for spelling in ["ann@example.com", "ann", &ann.sub] {
            assert_eq!(meant(&people, spelling), Ok(("ann".into(), 2)), "{spelling}");
        }
        assert_eq!(meant(&people, "bob"), Ok(("bob".into(), 3)));
        assert_eq!(meant(&people, "dis"), Ok(("dis".into(), 9)));
        assert_eq!(meant(&people, "zoe"), Err(Refusal::Missing));
        assert_eq!(meant(&people, "Ann"), Err(Refusal::Missing));
        assert_eq!(meant(&people, "Google_1"), Err(Refusal::Federated));
        assert_eq!(meant(&people, "una"), Err(Refusal::Unconfirmed));
        let mut refused = Vec::new();
        people
            .refused(|name, _| -> Result<(), PeopleError> {
                refused.push(name.to_owned());
                Ok(())
            })
            .unwrap();
        assert_eq!(refused, ["zoe", "Google_1", "una", "Ann"]);
        let tallies = people.tallies().unwrap();
        let expected = Tallies {
            spellings: 9,
            missing: 2,
            federated: 1,
            unconfirmed: 1,
            disabled: 1,
            repeated: 2,
            ..Tallies::default()
        };
        assert_eq!(tallies, expected);
        assert_eq!(tallies.refused(), 4);
    }
}

#[test]
fn a_folding_pool_knows_any_case_and_asks_for_what_filters_may_miss() {
    let folding = Naming { case_sensitive: false, ..by_mail() };
    let pool = Pool::of(&[user("Ann"), user("bob")]);
    let people = looked_up(&pool, &folding, &["Ann", "ANN", "BOB", "ANN@example.COM"]);
    for spelling in ["Ann", "ANN", "ANN@example.COM"] {
        assert_eq!(meant(&people, spelling), Ok(("Ann".into(), 2)), "{spelling}");
    }
    assert_eq!(meant(&people, "BOB"), Ok(("bob".into(), 4)));
    // No filter finds a user name that is spelt in a third case.
    let people = looked_up(&pool, &folding, &["ANN", "nobody", "7"]);
    assert_eq!(people.unsure().unwrap(), 2);
    people.give_up("too many").unwrap();
    assert_eq!(meant(&people, "ANN"), Err(Refusal::Unresolved("too many".into())));
    assert_eq!(meant(&people, "7"), Err(Refusal::Missing));
    let people = walked(&pool, &folding, &["ANN", "nobody"]);
    assert_eq!(meant(&people, "ANN"), Ok(("Ann".into(), 2)));
    assert_eq!(meant(&people, "nobody"), Err(Refusal::Missing));
}

#[test]
fn whoever_was_reset_by_a_spelling_stays_its_user_whatever_the_pool_says_now() {
    let moved = DirectoryUser { email: "ann@example.com".into(), ..user("bob") };
    let pool = Pool::of(&[user("cyd"), moved]);
    let mut people = People::new().unwrap();
    people.add("ann@example.com", 2, Some("ann")).unwrap();
    people.add("bob", 3, None).unwrap();
    people.added().unwrap();
    people.name_by(by_mail());
    assert_eq!(put(&mut Walk::new(&pool, &people)).unwrap(), StopReason::Finished);
    people.note_complete();
    people.settle().unwrap();
    assert_eq!(meant(&people, "ann@example.com"), Ok(("ann".into(), 2)));
    assert_eq!(meant(&people, "bob"), Ok(("bob".into(), 3)));
}

#[test]
fn an_exclude_list_names_a_user_by_any_spelling() {
    let pool = Pool::of(&[user("ann"), user("bob")]);
    let people = people(&by_mail(), &["ann", "bob"]);
    people.exclude("ann@example.com").unwrap();
    people.exclude("bob").unwrap();
    people.exclude("nobody").unwrap();
    assert_eq!(people.open().unwrap(), (3, 1));
    assert_eq!(put(&mut Lookups::new(&pool, &people, Whom::Excluded)).unwrap(), StopReason::Finished);
    assert_eq!(put(&mut Lookups::new(&pool, &people, Whom::Roster(5))).unwrap(), StopReason::Finished);
    people.settle().unwrap();
    for (spelling, listed) in [("ann", "ann@example.com"), ("bob", "bob")] {
        let Verdict::Person(person) = people.verdict(spelling).unwrap() else { panic!("{spelling}") };
        assert_eq!(person.excluded_as.as_deref(), Some(listed));
    }
}

#[test]
fn a_limit_asks_for_no_more_than_it_must_and_tells_the_rest_apart() {
    let pool = Pool::of(&[user("ann"), user("bob"), user("cyd")]);
    let people = people(&by_mail(), &["ann", "bob", "cyd"]);
    put(&mut Lookups::new(&pool, &people, Whom::Roster(2))).unwrap();
    people.settle().unwrap();
    assert_eq!(people.verdict("cyd").unwrap(), Verdict::NotAsked);
    assert_eq!((people.tallies().unwrap().not_asked, people.open().unwrap()), (1, (0, 1)));
    assert_eq!(pool.requests(), 4, "two pages each: {:?}", pool.asked);
}

#[test]
fn a_list_that_never_ends_and_one_that_is_refused_resolve_nobody() {
    let mut pool = Pool::of(&[user("ann")]);
    pool.endless = true;
    let found = people(&by_mail(), &["ann"]);
    assert!(matches!(put(&mut Walk::new(&pool, &found)), Err(PeopleError::Endless(_))));
    let found = looked_up(&pool, &by_mail(), &["zoe"]);
    assert!(matches!(meant(&found, "zoe"), Err(Refusal::Unresolved(_))));
    pool.failing.set(true);
    let found = looked_up(&pool, &by_mail(), &["zoe"]);
    assert!(matches!(meant(&found, "zoe"), Err(Refusal::Unresolved(_))));
    let found = people(&by_mail(), &["ann"]);
    assert!(matches!(put(&mut Walk::new(&pool, &found)), Err(PeopleError::Unlisted(_))));
}

#[test]
fn an_endpoint_that_heeds_no_filter_names_nobody_wrongly() {
    let mut pool = Pool::of(&[user("ann"), user("bob"), user("cyd")]);
    pool.filters = false;
    let people = looked_up(&pool, &by_mail(), &["cyd", "zoe"]);
    assert_eq!(meant(&people, "cyd"), Ok(("cyd".into(), 2)));
    assert_eq!(meant(&people, "zoe"), Err(Refusal::Missing));
}

#[test]
fn the_shorter_way_is_taken() {
    for (users, spellings, walk) in
        [(0, 1, false), (60, 2, true), (1_000_000, 10, false), (1_000_000, 1_000_000, true), (50_000, 1_000, true)]
    {
        assert_eq!(walk_is_shorter(users, spellings), walk, "{users} {spellings}");
    }
    assert!(may_read_all_for_the_rest(30_000, 1) && !may_read_all_for_the_rest(1_000_000, 10));
}

/// Users, some of whose names, addresses and chosen names meet.
fn some_user() -> impl Strategy<Value = DirectoryUser> {
    let name = prop_oneof!["[aAbB]", "[ab]@x"];
    (name.clone(), name.clone(), any::<bool>(), name, any::<bool>()).prop_map(
        |(username, email, email_verified, preferred_username, confirmed)| DirectoryUser {
            email,
            email_verified,
            preferred_username,
            status: if confirmed { "CONFIRMED" } else { "UNCONFIRMED" }.into(),
            ..user(&username)
        },
    )
}

/// The user whom a spelling means, by the rules over all users at once.
fn by_the_rules(naming: &Naming, users: &[DirectoryUser], spelling: &str) -> Result<String, Refusal> {
    let fits = |value: &str| naming.key(value) == naming.key(spelling);
    for attribute in naming.ways(spelling) {
        for exact in [true, false] {
            let mut bearers: Vec<&DirectoryUser> = users
                .iter()
                .filter(|user| {
                    naming
                        .names(user)
                        .iter()
                        .any(|(known, value)| *known == attribute && fits(value) && (*value == spelling) == exact)
                })
                .collect();
            bearers.dedup_by_key(|user| user.username.clone());
            match bearers.as_slice() {
                [] => {}
                [user] => return Fitness::of(user).refusal().map_or_else(|| Ok(user.username.clone()), Err),
                _ => return Err(Refusal::Ambiguous),
            }
        }
    }
    Err(Refusal::Missing)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_ways_come_to_what_the_rules_say(
        mut users in prop::collection::vec(some_user(), 0..6),
        case_sensitive in any::<bool>(),
        in_place in any::<bool>(),
    ) {
        users.sort_by(|one, other| one.username.cmp(&other.username));
        users.dedup_by(|one, other| one.username == other.username);
        let naming = Naming {
            case_sensitive,
            in_place: if in_place { vec![Attribute::Email] } else { vec![] },
            beside: if in_place { vec![] } else { vec![Attribute::Email, Attribute::PreferredUsername] },
        };
        let spellings = ["a", "A", "b", "B", "a@x", "b@x", "A@x"];
        let expected: Vec<_> =
            spellings.iter().map(|spelling| by_the_rules(&naming, &users, spelling)).collect();
        let mut turned = users.clone();
        turned.reverse();
        for users in [&users, &turned] {
            let pool = Pool::of(users);
            let people = walked(&pool, &naming, &spellings);
            let found: Vec<_> = spellings.iter().map(|spelling| meant(&people, spelling).map(|user| user.0)).collect();
            prop_assert_eq!(&found, &expected);
            if case_sensitive {
                let people = looked_up(&pool, &naming, &spellings);
                let found: Vec<_> =
                    spellings.iter().map(|spelling| meant(&people, spelling).map(|user| user.0)).collect();
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
