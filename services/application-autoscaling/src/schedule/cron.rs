//! AWS's cron expressions: minutes, hours, day of the month, month, day of the week (1 is Sunday), year.

use jiff::{
    ToSpan,
    civil::{Date, DateTime, Weekday},
};
use std::{collections::BTreeSet, ops::RangeInclusive};

#[derive(Debug)]
pub(super) struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: Days,
    months: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

/// Exactly one of the two fields of days says something; the other is `?`.
#[derive(Debug)]
enum Days {
    OfMonth(BTreeSet<i16>),
    LastOfMonth,
    /// The weekday nearest to a day, in the same month.
    NearestWeekday(i16),
    OfWeek(BTreeSet<i16>),
    /// The last such day of the month.
    LastOfWeek(i16),
    /// Such a day, counted in the month.
    Nth(i16, i16),
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// AWS's years.
const YEARS: RangeInclusive<i16> = 1970..=2199;

/// How far a date is searched: the 29th of February is at most eight years away.
const SEARCHED_DAYS: usize = 9 * 366;

impl Cron {
    pub(super) fn parse(text: &str) -> Option<Cron> {
        let text = text.to_ascii_uppercase();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, of_month, month, of_week, year] = fields.try_into().ok()?;
        let days = match (of_month, of_week) {
            ("?", "?") => return None,
            (of_month, "?") => days_of_month(of_month)?,
            ("?", of_week) => days_of_week(of_week)?,
            _ => return None,
        };
        Some(Cron {
            minutes: set(minutes, 0..=59, &[])?,
            hours: set(hours, 0..=23, &[])?,
            days,
            months: set(month, 1..=12, &MONTHS)?,
            years: set(year, YEARS, &[])?,
        })
    }

    /// The dates of the expression, from `first` on.
    pub(super) fn dates_from(&self, first: Date) -> impl Iterator<Item = Date> + '_ {
        // A year far away is reached without looking at each day before it.
        let from = match self.years.range(first.year()..).next() {
            Some(year) if *year > first.year() => Date::new(*year, 1, 1).ok(),
            year => year.map(|_| first),
        };
        let days = std::iter::successors(from, |date| date.tomorrow().ok());
        days.take(SEARCHED_DAYS).filter(|date| self.includes(*date))
    }

    /// The times of a date.
    pub(super) fn times_of(&self, date: Date) -> impl Iterator<Item = DateTime> + '_ {
        self.hours.iter().flat_map(move |hour| {
            self.minutes.iter().map(move |minute| date.at(*hour as i8, *minute as i8, 0, 0))
        })
    }

    fn includes(&self, date: Date) -> bool {
        let (day, last) = (i16::from(date.day()), i16::from(date.days_in_month()));
        let weekday = i16::from(date.weekday().to_sunday_one_offset());
        let of_day = match &self.days {
            Days::OfMonth(days) => days.contains(&day),
            Days::LastOfMonth => day == last,
            Days::NearestWeekday(near) => nearest_weekday(date, *near) == Some(date),
            Days::OfWeek(days) => days.contains(&weekday),
            Days::LastOfWeek(of) => weekday == *of && day + 7 > last,
            Days::Nth(of, n) => weekday == *of && (day - 1) / 7 + 1 == *n,
        };
        of_day && self.months.contains(&i16::from(date.month())) && self.years.contains(&date.year())
    }
}

/// The weekday nearest to a day of the month of `date`.
fn nearest_weekday(date: Date, day: i16) -> Option<Date> {
    let wanted = Date::new(date.year(), date.month(), day as i8).ok()?;
    let by = match wanted.weekday() {
        Weekday::Saturday if day == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if wanted.day() == wanted.days_in_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    wanted.checked_add(by.days()).ok()
}

fn days_of_month(text: &str) -> Option<Days> {
    if text == "L" {
        return Some(Days::LastOfMonth);
    }
    if let Some(day) = text.strip_suffix('W') {
        return value(day, &(1..=31), &[]).map(Days::NearestWeekday);
    }
    set(text, 1..=31, &[]).map(Days::OfMonth)
}

fn days_of_week(text: &str) -> Option<Days> {
    let day = |text| value(text, &(1..=7), &WEEKDAYS);
    if text == "L" {
        return Some(Days::OfWeek(BTreeSet::from([7])));
    }
    if let Some(of) = text.strip_suffix('L') {
        return day(of).map(Days::LastOfWeek);
    }
    if let Some((of, n)) = text.split_once('#') {
        return Some(Days::Nth(day(of)?, value(n, &(1..=5), &[])?));
    }
    set(text, 1..=7, &WEEKDAYS).map(Days::OfWeek)
}

/// `*`, `5`, `MON`, `1-5`, `*/15`, `10/5`, and lists of these.
fn set(text: &str, range: RangeInclusive<i16>, names: &[&str]) -> Option<BTreeSet<i16>> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, step.parse::<usize>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let span = match span.split_once('-') {
            Some((from, to)) => value(from, &range, names)?..=value(to, &range, names)?,
            None if span == "*" => range.clone(),
            None if part.contains('/') => value(span, &range, names)?..=*range.end(),
            None => {
                let one = value(span, &range, names)?;
                one..=one
            }
        };
        if span.is_empty() {
            return None;
        }
        all.extend(span.step_by(step));
    }
    Some(all)
}

fn value(text: &str, range: &RangeInclusive<i16>, names: &[&str]) -> Option<i16> {
    if let Some(place) = names.iter().position(|name| *name == text) {
        return i16::try_from(place).ok().map(|place| place + 1);
    }
    text.parse().ok().filter(|value| range.contains(value))
}
