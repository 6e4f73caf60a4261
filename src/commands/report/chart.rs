//! The report's picture, as SVG: what was done and what was throttled, over time.

use std::ops::Range;

use plotters::prelude::*;

use crate::engine::ledger::{Activity, PaceSample};
use crate::model::{Millis, Status};
use crate::ui::format::moment;

/// The picture for wide pages, and the one for telephones.
const SIZES: [(&str, u32, u32); 2] = [("wide", 940, 300), ("narrow", 380, 300)];

// Dark and light, blue and orange: apart from each other for every eye. The page
// gives each another tone in the dark, by these names.
const GOOD: RGBColor = RGBColor(0x00, 0x3a, 0x70);
const BAD: RGBColor = RGBColor(0xc9, 0x54, 0x0a);
const UNSURE: RGBColor = RGBColor(0x6b, 0x6b, 0x6b);
const SENT: RGBColor = RGBColor(0x7b, 0x87, 0x94);
const AIM: RGBColor = RGBColor(0x00, 0x3b, 0x71);

/// Spans of time that people read easily, in milliseconds.
const SPANS: [i64; 12] = [
    1000,
    5000,
    10_000,
    30_000,
    60_000,
    300_000,
    900_000,
    3_600_000,
    21_600_000,
    86_400_000,
    604_800_000,
    2_592_000_000,
];

/// Bars in one picture at most.
const BARS: i64 = 120;

/// The width of a bar that keeps the picture readable.
pub(super) fn bar(first: Millis, last: Millis) -> i64 {
    let all = last.0.saturating_sub(first.0);
    SPANS.into_iter().find(|span| all / span < BARS).unwrap_or(all / BARS + 1)
}

/// A bar: from when to when, and its pieces from the bottom up.
struct Bar {
    from: i64,
    to: i64,
    pieces: Vec<(RGBColor, f64)>,
}

/// Outcomes per minute.
pub(super) fn outcomes(activity: &[Activity], first: Millis, last: Millis) -> Result<String, String> {
    let span = bar(first, last);
    let mut bars: Vec<Bar> = Vec::new();
    for entry in activity {
        let colour = match entry.status {
            Status::Succeeded => GOOD,
            Status::Failed => BAD,
            Status::Unknown | Status::Pending => UNSURE,
        };
        let piece = (colour, per_minute(entry.count, span));
        match bars.last_mut() {
            Some(bar) if bar.from == entry.from.0 => bar.pieces.push(piece),
            _ => bars.push(Bar { from: entry.from.0, to: entry.from.0 + span, pieces: vec![piece] }),
        }
    }
    let legend = [(GOOD, "reset"), (BAD, "failed"), (UNSURE, "no answer")];
    let total = |wanted: &[Status]| {
        let own = activity.iter().filter(|entry| wanted.contains(&entry.status));
        own.map(|entry| entry.count).sum::<u64>()
    };
    let told = format!(
        "From {} to {} UTC: {} reset, {} failed, {} without an answer at the time.",
        moment(first),
        moment(last),
        total(&[Status::Succeeded]),
        total(&[Status::Failed]),
        total(&[Status::Unknown, Status::Pending])
    );
    let picture = Picture { title: "users per minute", told, legend: &legend, bars: &bars, line: &[] };
    picture.figure(&axis(first, last, span))
}

/// Requests per minute, the throttled ones among them, and the rate aimed at.
/// A sample tells of the time since the one before it, or since its run began.
pub(super) fn requests(paces: &[PaceSample], starts: &[i64], first: Millis, last: Millis) -> Result<String, String> {
    let span = bar(first, last);
    let mut bars: Vec<Bar> = Vec::new();
    let mut aims: Vec<(i64, f64)> = Vec::new();
    let (mut before, mut taken, mut throttled) = (first.0, 0, 0);
    for sample in paces {
        let begun = starts.iter().copied().filter(|start| *start <= sample.at.0).max().unwrap_or(first.0);
        if begun > before {
            (before, taken, throttled) = (begun, 0, 0);
        }
        taken += sample.sent.saturating_sub(sample.throttled);
        throttled += sample.throttled;
        let length = sample.at.0 - before;
        if length >= span {
            let pieces = vec![(SENT, per_minute(taken, length)), (BAD, per_minute(throttled, length))];
            bars.push(Bar { from: before, to: sample.at.0, pieces });
            (before, taken, throttled) = (sample.at.0, 0, 0);
        }
        if let Some(rate) = sample.rate {
            aims.push((sample.at.0, rate * 60.0));
        }
    }
    let legend = [(SENT, "requests taken"), (BAD, "throttled"), (AIM, "rate aimed at")];
    let all: u64 = paces.iter().map(|sample| sample.sent).sum();
    let refused: u64 = paces.iter().map(|sample| sample.throttled).sum();
    let told = format!("Requests in the same time: {all} sent, {refused} of them throttled by the service.");
    let picture = Picture { title: "requests per minute", told, legend: &legend, bars: &bars, line: &aims };
    picture.figure(&axis(first, last, span))
}

#[allow(clippy::cast_precision_loss, reason = "a height in a picture")]
fn per_minute(count: u64, span: i64) -> f64 {
    count as f64 * 60_000.0 / span as f64
}

fn axis(first: Millis, last: Millis, span: i64) -> Range<i64> {
    let from = first.0.div_euclid(span) * span;
    from..(last.0.div_euclid(span) + 1) * span
}

/// A picture: bars, and perhaps a line across them.
struct Picture<'a> {
    title: &'a str,
    /// The chart in words.
    told: String,
    legend: &'a [(RGBColor, &'a str)],
    bars: &'a [Bar],
    line: &'a [(i64, f64)],
}

impl Picture<'_> {
    /// The picture in both sizes, with its key and its words for those who don't see it.
    fn figure(&self, times: &Range<i64>) -> Result<String, String> {
        let mut figure = String::from("<figure><ul class=\"key\">");
        for (colour, name) in self.legend {
            let RGBColor(red, green, blue) = colour;
            figure.push_str(&format!("<li class=\"c{red:02x}{green:02x}{blue:02x}\">{name}</li>"));
        }
        figure.push_str("</ul>");
        let mut told = self.told.clone();
        for (class, width, height) in SIZES {
            let svg = self.draw(times, width, height)?;
            let words = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{}: {told}\" ", self.title);
            figure.push_str(&svg.replacen("<svg ", &words, 1));
        }
        if let Some(cut) = self.cut() {
            told.push(' ');
            told.push_str(&cut);
        }
        figure.push_str(&format!("<figcaption>{told}</figcaption></figure>"));
        Ok(figure)
    }

    /// The height of a bar without those who got no answer: a run that was killed
    /// leaves all of them at one moment, and they would press the others flat.
    fn height(bar: &Bar) -> f64 {
        bar.pieces.iter().filter(|(colour, _)| *colour != UNSURE).map(|(_, height)| height).sum()
    }

    /// The top of the picture: that of the highest bar, and of a line that is not
    /// far above what is sent.
    fn ceiling(&self) -> f64 {
        let highest = self.bars.iter().map(Self::height).fold(0.0, f64::max);
        let whole = self.bars.iter().flat_map(|bar| &bar.pieces).map(|(_, height)| *height).fold(0.0, f64::max);
        let highest = if highest > 0.0 { highest } else { whole.max(1.0) };
        let line = self.line.iter().map(|(_, height)| *height).fold(0.0, f64::max);
        highest.max(line.min(highest * 2.0)) * 1.15
    }

    /// Returns what reaches beyond the picture, in words.
    fn cut(&self) -> Option<String> {
        let ceiling = self.ceiling();
        let tall = |bar: &Bar| bar.pieces.iter().map(|(_, height)| height).sum::<f64>() > ceiling;
        if self.bars.iter().any(tall) {
            return Some("A grey bar that reaches the top goes on beyond it.".into());
        }
        let aim = self.line.iter().map(|(_, height)| *height).fold(0.0, f64::max);
        (aim > ceiling).then(|| format!("The rate aimed at, up to {aim:.0}, goes on beyond the top."))
    }

    fn draw(&self, times: &Range<i64>, width: u32, height: u32) -> Result<String, String> {
        let Self { title, legend, bars, line, .. } = *self;
        let is_wide = width > 500;
        let ceiling = self.ceiling();
        let long = times.end - times.start > 86_400_000;
        let mut svg = String::new();
        let mut paint = || -> Result<(), Box<dyn std::error::Error + '_>> {
            let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .margin(12)
                .margin_right(30)
                .x_label_area_size(42)
                .y_label_area_size(if is_wide { 64 } else { 52 })
                .build_cartesian_2d(times.clone(), 0.0..ceiling)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .x_labels(if is_wide { 8 } else { 4 })
                .y_labels(6)
                .x_label_formatter(&|at| clock(*at, long))
                .y_label_formatter(&|height| format!("{height:.0}"))
                .y_desc(title)
                .x_desc("UTC")
                .draw()?;
            for (colour, _) in legend {
                let mut pieces = Vec::new();
                for bar in bars {
                    let mut bottom = 0.0;
                    for (own, height) in &bar.pieces {
                        if own == colour && *height > 0.0 {
                            let gap = (bar.to - bar.from) / 8;
                            let top = (bottom + height).min(ceiling);
                            let corners = [(bar.from, bottom.min(ceiling)), (bar.to - gap, top)];
                            pieces.push(Rectangle::new(corners, colour.filled()));
                        }
                        bottom += height;
                    }
                }
                if *colour == AIM {
                    let points = line.iter().map(|(at, height)| (*at, height.min(ceiling)));
                    chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
                } else {
                    chart.draw_series(pieces)?;
                }
            }
            area.present()?;
            Ok(())
        };
        paint().map_err(|error| error.to_string())?;
        Ok(svg)
    }
}

fn clock(at: i64, with_day: bool) -> String {
    let form = if with_day { "%m-%d %H:%M" } else { "%H:%M:%S" };
    jiff::Timestamp::from_millisecond(at).map(|at| at.strftime(form).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_many_of_one_moment_do_not_press_the_others_flat() {
        let at = |second: i64, status, count| Activity { from: Millis(second * 1000), status, count };
        let mut activity: Vec<Activity> = (0..20).map(|second| at(second, Status::Succeeded, 20)).collect();
        let plain = outcomes(&activity, Millis(0), Millis(20_000)).unwrap();
        activity.insert(10, at(9, Status::Unknown, 5000));
        let doubtful = outcomes(&activity, Millis(0), Millis(20_000)).unwrap();
        // The axis is the same: so are the heights of all who were reset.
        let heights = |svg: &str| svg.matches("#003A70").count();
        assert_eq!(heights(&plain), heights(&doubtful));
        assert!(plain.contains("\n1000\n") && doubtful.contains("\n1000\n"), "{doubtful}");
        assert!(doubtful.contains("5000 without an answer") && doubtful.contains("goes on beyond it"), "{doubtful}");
        assert!(!plain.contains("beyond"), "{plain}");
        // Where there is nothing else, it is seen whole.
        let alone = outcomes(&[at(9, Status::Unknown, 5)], Millis(0), Millis(20_000)).unwrap();
        assert!(!alone.contains("beyond"), "{alone}");
    }

    #[test]
    fn the_key_stands_outside_of_the_picture() {
        let sample = |at, sent| PaceSample { at: Millis(at), sent, throttled: 0, rate: Some(20.0) };
        let paces: Vec<PaceSample> = (1..20).map(|at| sample(at * 1000, 20)).collect();
        let figure = requests(&paces, &[0], Millis(0), Millis(20_000)).unwrap();
        let (key, pictures) = figure.split_once("<svg").unwrap();
        for name in ["requests taken", "throttled", "rate aimed at"] {
            assert!(key.contains(name), "{figure}");
        }
        assert!(!pictures.contains("\nrate aimed at\n"), "{figure}");
    }
}
