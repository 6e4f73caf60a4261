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
    let legend = [(GOOD, "reset"), (BAD, "failed"), (UNSURE, "unknown")];
    let total = |wanted: &[Status]| {
        let own = activity.iter().filter(|entry| wanted.contains(&entry.status));
        own.map(|entry| entry.count).sum::<u64>()
    };
    let told = format!(
        "Answers from {} to {} UTC: {} reset, {} failed, {} unknown.",
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
    /// The picture in both sizes, with its words for those who don't see it.
    fn figure(&self, times: &Range<i64>) -> Result<String, String> {
        let mut figure = String::from("<figure>");
        for (class, width, height) in SIZES {
            let svg = self.draw(times, width, height)?;
            let words = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{}: {}\" ", self.title, self.told);
            figure.push_str(&svg.replacen("<svg ", &words, 1));
        }
        figure.push_str(&format!("<figcaption>{}</figcaption></figure>", self.told));
        Ok(figure)
    }

    fn draw(&self, times: &Range<i64>, width: u32, height: u32) -> Result<String, String> {
        let Self { title, legend, bars, line, .. } = *self;
        let is_wide = width > 500;
        let heights = bars.iter().map(|bar| bar.pieces.iter().map(|(_, height)| height).sum::<f64>());
        let highest = heights.fold(1.0, f64::max);
        // An aim far above what is sent would press the bars flat.
        let ceiling = highest * 1.35;
        let long = times.end - times.start > 86_400_000;
        let mut svg = String::new();
        let mut paint = || -> Result<(), Box<dyn std::error::Error + '_>> {
            let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .margin(12)
                .margin_right(30)
                .x_label_area_size(32)
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
            for (colour, name) in legend {
                let mut pieces = Vec::new();
                for bar in bars {
                    let mut bottom = 0.0;
                    for (own, height) in &bar.pieces {
                        if own == colour && *height > 0.0 {
                            let gap = (bar.to - bar.from) / 8;
                            let corners = [(bar.from, bottom), (bar.to - gap, bottom + height)];
                            pieces.push(Rectangle::new(corners, colour.filled()));
                        }
                        bottom += height;
                    }
                }
                let (colour, is_line) = (*colour, *colour == AIM);
                let key = move |(x, y): (i32, i32)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled());
                let drawn = if is_line {
                    let points = line.iter().map(|(at, height)| (*at, height.min(ceiling)));
                    chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                } else {
                    chart.draw_series(pieces)?
                };
                drawn.label(*name).legend(key);
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(WHITE.mix(0.85))
                .border_style(TRANSPARENT)
                .draw()?;
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
