//! The picture of growth: small plots side by side, one line a runtime, on a logarithmic axis of numbers.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::growth::{Curve, Point};

const SIZE: (u32, u32) = (1020, 620);
/// Colours that people with any kind of sight can tell apart, and the order of their darkness.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 90, 181), RGBColor(213, 94, 0), RGBColor(0, 140, 100), RGBColor(150, 90, 150)];
const INK: RGBColor = RGBColor(60, 60, 60);
const GRID: RGBColor = RGBColor(225, 225, 225);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the curves into an SVG file.
///
/// # Errors
///
/// A sentence when the file cannot be written.
pub fn draw(curves: &[Curve], out: &Path) -> Result<(), String> {
    try_draw(curves, out).map_err(|error| format!("cannot write {}: {error}", out.display()))
}

fn try_draw(curves: &[Curve], out: &Path) -> Result<(), Box<dyn Error>> {
    let canvas = SVGBackend::new(out, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    let places = canvas.margin(6, 6, 6, 6).split_evenly((2, 3));
    for (place, curve) in places.iter().zip(curves) {
        panel(place, curve)?;
    }
    if let Some((place, curve)) = places.last().zip(curves.first()).filter(|_| curves.len() < places.len()) {
        legend(place, curve)?;
    }
    canvas.present()?;
    Ok(())
}

fn panel(place: &Canvas<'_>, curve: &Curve) -> Result<(), Box<dyn Error>> {
    let points = || curve.lines.iter().flat_map(|(_, points)| points);
    let least = points().map(|point| point.many).min().unwrap_or(1);
    let most = points().map(|point| point.many).max().unwrap_or(10);
    let top = points().map(|point| point.cost).fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(place)
        .margin(10)
        .caption(curve.title, ("sans-serif", 15).into_font().color(&INK))
        .x_label_area_size(38)
        .y_label_area_size(48)
        .build_cartesian_2d((least..most.max(least + 1)).log_scale(), 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(WHITE)
        .axis_style(GRID)
        .label_style(("sans-serif", 11).into_font().color(&INK))
        .x_desc(curve.many)
        .y_labels(5)
        .x_labels(6)
        .x_label_formatter(&|many| grouped(*many))
        .y_label_formatter(&|cost| grouped(cost.round() as u64))
        .draw()?;
    // Ours comes last, on top of the others.
    for ((_, points), colour) in curve.lines.iter().zip(COLOURS).rev() {
        let wide = if colour == COLOURS[0] { 3 } else { 2 };
        chart.draw_series(LineSeries::new(coordinates(points), colour.stroke_width(wide)))?;
        chart.draw_series(coordinates(points).map(|at| Circle::new(at, wide + 1, colour.filled())))?;
    }
    Ok(())
}

fn coordinates(points: &[Point]) -> impl Iterator<Item = (u64, f64)> {
    points.iter().map(|point| (point.many, point.cost))
}

/// Which line is whose.
fn legend(place: &Canvas<'_>, curve: &Curve) -> Result<(), Box<dyn Error>> {
    let style = ("sans-serif", 15).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (row, ((runtime, _), colour)) in (0..).zip(curve.lines.iter().zip(COLOURS)) {
        let y = 90 + 30 * row;
        place.draw(&PathElement::new([(60, y), (100, y)], colour.stroke_width(3)))?;
        place.draw(&Circle::new((80, y), 4, colour.filled()))?;
        place.draw(&Text::new(*runtime, (115, y), &style))?;
    }
    Ok(())
}

/// A number with a comma at every thousand.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
