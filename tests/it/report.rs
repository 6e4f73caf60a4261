//! `report` makes one page that tells what happened, and no password.

use crate::common::{Room, Simulator};

/// A batch with a success, a failure, a duplicate and an invalid row.
fn batch(room: &Room, simulator: &Simulator) {
    room.write(
        "users.csv",
        "user_id\nu-1\nmissing-1\nu-1\nu-2\nmuch-too-long-to-be-a-user-of-ours\nmissing-2\nmissing-3\n",
    );
    room.reset(simulator, &["users.csv", "-o", "out<b>.csv", "--batch", "leavers"]).expect(1);
}

fn report(room: &Room, output: &str) -> crate::common::Ran {
    room.run(&["report", "leavers", "--state-dir", "state", "-o", output])
}

#[test]
fn the_page_tells_who_what_when_and_what_is_left() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    batch(&room, &simulator);
    report(&room, "page.html").expect(0).says("page.html");
    let page = room.read("page.html");
    for part in [
        "batch leavers",
        "access key AKIASIMULATEDSUPERUSER",
        simulator.endpoint.as_str(),
        "<dt>succeeded</dt><dd>2</dd>",
        "<dt>failed</dt><dd>3</dd>",
        "<code>ResourceNotFoundException</code>",
        "3, 7, 8",
        "the user of an earlier row",
        "A repeat does not help 3 users (3 × ResourceNotFoundException): correct or remove the entries in the roster",
        "1 row of the roster can&#39;t be sent as typed",
        "finspace-reset close leavers",
        "users per minute",
        "rate aimed at",
        "exit 1, finished",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // A command is marked as one, and not with the marks of a terminal.
    assert!(page.contains("<code>finspace-reset close leavers") && !page.contains('`'), "{page}");
    // Names from outside are text, whatever they hold.
    assert!(!page.contains("out<b>.csv") && page.contains("out&#60;b&#62;.csv"), "{page}");
    // It stands alone.
    for outside in ["<script", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn no_password_is_on_the_page() {
    let (room, simulator) =
        (Room::new(), Simulator::start(&["--new-password-on-replay", "--faults", "drop-after=0.3"]));
    room.roster("users.csv", 60);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "leavers"]);
    report(&room, "page.html").expect(0);
    let (page, seen) = (room.read("page.html"), simulator.seen());
    assert!(seen.passwords().count() >= 60);
    let escaped =
        |text: &str| text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;");
    for password in seen.passwords() {
        assert!(!page.contains(password) && !page.contains(&escaped(password)), "{password}");
    }
}

#[test]
fn a_closed_batch_has_nothing_open() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "leavers", "--close"]).expect(0);
    let ran = report(&room, "-").expect(0);
    assert!(ran.stdout.contains("<p>Nothing.</p>") && ran.stdout.contains("closed "), "{}", ran.stdout);
}

#[test]
fn a_file_in_the_way_stays_and_an_unknown_batch_is_told() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    batch(&room, &simulator);
    room.write("page.html", "mine");
    report(&room, "page.html").expect(2).says("page.html exists");
    assert_eq!(room.read("page.html"), "mine");
    room.run(&["report", "nobody", "--state-dir", "state", "-o", "-"]).expect(2).says("nobody");
}

/// Opens the page in a frame of `width` pixels and returns what a script sees.
fn browse(room: &Room, page: &str, width: u32, dark: bool) -> serde_json::Value {
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    let script = r"
onload = () => {
  const frame = document.querySelector('iframe'), page = frame.contentDocument, view = frame.contentWindow;
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(view.getComputedStyle(e).backgroundColor);
    if (c.length == 3 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  let worst = 99, where = '';
  for (const e of page.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
    const style = view.getComputedStyle(e);
    if (!own || style.display == 'none' || !e.getClientRects().length) continue;
    const [a, b] = [light(parse(e.closest('svg') ? style.fill : style.color).slice(0, 3)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < worst) { worst = ratio; where = e.tagName + ': ' + e.textContent.slice(0, 40); }
  }
  const wide = [...page.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > view.innerWidth + 1 && !e.closest('svg, thead'))
    .map(e => e.tagName + ' ' + e.textContent.slice(0, 40));
  const bars = [...page.querySelectorAll('svg rect')].filter(e => e.getClientRects().length).map(e => view.getComputedStyle(e).fill);
  document.body.textContent = 'RESULT' + JSON.stringify({
    scroll: page.documentElement.scrollWidth, inner: view.innerWidth, worst, where, wide, bars: [...new Set(bars)],
    back: view.getComputedStyle(page.body).backgroundColor,
    tables: [...page.querySelectorAll('table')].every(t => t.caption && [...t.querySelectorAll('th')].every(h => h.scope == 'col')),
    pictures: [...page.querySelectorAll('svg')].every(s => s.getAttribute('role') == 'img' && s.getAttribute('aria-label')),
    lang: page.documentElement.lang, requests: performance.getEntriesByType('resource').length }) + 'END';
};";
    let frame = format!("<iframe style=\"width:{width}px;height:3000px;border:0\" srcdoc=\"{quoted}\"></iframe>");
    room.write("harness.html", format!("<!DOCTYPE html><script>{script}</script>{frame}"));
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let mut command = std::process::Command::new("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=5000"])
        .args([&scheme, "--window-size=1400,3200", "--dump-dom"])
        .arg(format!("--user-data-dir={}", room.path("chromium").display()))
        .arg(format!("file://{}", room.path("harness.html").display()))
        .env("HOME", room.path(""));
    let ran = command.output().expect("chromium runs");
    let text = String::from_utf8_lossy(&ran.stdout);
    let result = text.rsplit_once("RESULT{").and_then(|(_, rest)| rest.split_once("}END"));
    let (json, _) = result.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&ran.stderr)));
    serde_json::from_str(&format!("{{{json}}}").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
        .unwrap()
}

#[test]
fn a_browser_shows_the_page_on_a_telephone_in_the_dark_and_to_everyone() {
    if !crate::common::have(&["chromium"]) {
        return;
    }
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    batch(&room, &simulator);
    let key = room.run(&["keygen", "-o", "key"]).expect(0).stderr;
    room.write(
        "keys.csv",
        format!(
            "user_id,recipient\n{}",
            ["u-1", "u-2", "missing-1", "missing-2", "missing-3", "much-too-long-to-be-a-user-of-ours"]
                .map(|user| format!("{user},{}\n", key.split_whitespace().last().unwrap()))
                .concat()
        ),
    );
    let hand =
        ["handover", "out<b>.csv", "--by", "user_id", "--keys", "keys.csv", "-o", "desk", "--state-dir", "state"];
    room.run(&hand).expect(0);
    report(&room, "page.html").expect(0);
    let page = room.read("page.html");
    for (width, dark) in [(390, false), (390, true), (1200, false), (1200, true)] {
        let seen = browse(&room, &page, width, dark);
        assert_eq!(seen["inner"], width, "{seen}");
        assert!(seen["scroll"].as_u64() <= Some(u64::from(width)), "{width}: {seen}");
        assert_eq!(seen["wide"], serde_json::json!([]), "{width}: {seen}");
        assert!(seen["worst"].as_f64().unwrap() >= 4.5, "{width} {dark}: {seen}");
        assert_eq!(
            (&seen["tables"], &seen["pictures"], &seen["lang"]),
            (&true.into(), &true.into(), &"en".into()),
            "{seen}"
        );
        assert_eq!(seen["requests"], 0, "{seen}");
        let back = seen["back"].as_str().unwrap();
        assert_eq!(back == "rgb(17, 22, 28)", dark, "{back}");
    }
}

#[test]
fn the_page_says_one_thing_of_each_state() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    batch(&room, &simulator);
    report(&room, "open.html").expect(0);
    let page = room.read("open.html");
    for part in [
        "2 users are reset; the temporary passwords expire",
        "3 users failed and kept the old password",
        "Roster&#39;s SHA-256",
        "Consent",
        "--yes",
        "for nobody: the results are plain text",
        "<caption>",
        "scope=\"col\"",
        "aria-label=\"users per minute",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // Nothing is advised of a closed batch that it would refuse.
    let late = ["users.csv", "-o", "out<b>.csv", "--batch", "leavers", "--deadline", "0s"];
    room.reset(&simulator, &late).expect(3);
    room.run(&["close", "leavers", "--state-dir", "state"]).expect(0);
    report(&room, "closed.html").expect(0);
    let page = room.read("closed.html");
    assert!(!page.contains("same command again") && page.contains("--batch leavers and another --output"), "{page}");
    assert!(page.contains("<dt>Stopped because</dt><dd>the time of --deadline is over</dd>"), "{page}");
}
