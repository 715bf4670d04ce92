//! Findings that are one: whatever leaks the first also leaks the others.

use std::collections::BTreeMap;

use super::target::TargetWatch;
use crate::finding::{Evidence, Verdict};
use crate::live::census::GroupId;
use crate::live::detect::together::{Agreement, agreement};
use crate::live::facts::Millis;
use crate::live::outcome::{ResourceOutcome, Together};

/// Findings that are compared with each other.
const MOST: usize = 12;

/// A group and the line on which it is judged.
pub(super) type Place = (usize, GroupId);

/// Pairs of reported groups that agree, by the group that leads.
pub(super) type Joined = BTreeMap<Place, Vec<(Place, Agreement)>>;

/// Compares the births of what survives in all reported groups that are findings of their own.
pub(super) fn joined(target: &TargetWatch) -> Joined {
    let reported = target.lines.iter().enumerate().flat_map(|(nth, line)| {
        line.reported.iter().filter_map(move |&id| {
            let verdict = line.standings.get(&id)?.verdict()?;
            // What is younger than that may yet close.
            let until = line.judged - line.judged_of(id)?.age;
            (verdict >= Verdict::Suspect).then_some(((nth, id), verdict, until))
        })
    });
    let mut groups: Vec<(Place, Verdict, Millis)> = reported.collect();
    // The worst verdict leads, and of these the group that is known longest.
    groups.sort_by_key(|&(place, verdict, _)| (std::cmp::Reverse(verdict), place));
    groups.truncate(MOST);
    let pairs = groups.len() * groups.len().saturating_sub(1) / 2;
    let mut joined = Joined::new();
    let mut taken = Vec::new();
    for (at, &(first, _, until)) in groups.iter().enumerate() {
        if taken.contains(&first) {
            continue;
        }
        for &(second, _, other) in &groups[at + 1..] {
            if taken.contains(&second) {
                continue;
            }
            let until = until.min(other);
            let since = target.lines[first.0].origin.max(target.lines[second.0].origin);
            let births = |(line, id): Place| -> Vec<Millis> {
                let births = target.lines[line].census.births(id);
                births.filter(|&born| born > since && born <= until).collect()
            };
            let (a, b) = (births(first), births(second));
            if let Some(found) = agreement(&a, &b, target.timing.bucket_ms(), pairs) {
                taken.push(second);
                joined.entry(first).or_default().push((second, found));
            }
        }
    }
    joined
}

/// Puts what is joined into the rows of groups; each with its place.
pub(super) fn tell(joined: &Joined, rows: &mut [(Place, ResourceOutcome)]) {
    let names: BTreeMap<Place, (String, String)> = rows
        .iter()
        .map(|(id, row)| (*id, (row.id.clone(), super::explain::words::place(row))))
        .collect();
    for (lead, others) in joined {
        let Some((lead_id, lead_place)) = names.get(lead) else { continue };
        for (other, agreement) in others {
            let Some((other_id, other_place)) = names.get(other) else { continue };
            for (id, row) in rows.iter_mut() {
                if id == lead {
                    row.together.push(told(other_id, agreement));
                    row.evidence.insert(row.evidence.len().min(1), words(other_place, agreement));
                } else if id == other {
                    row.part_of = Some(lead_id.clone());
                    row.evidence.insert(row.evidence.len().min(1), words(lead_place, agreement));
                }
            }
        }
    }
}

fn told(id: &str, agreement: &Agreement) -> Together {
    Together {
        id: id.to_owned(),
        births: agreement.births.0.min(agreement.births.1),
        apart: agreement.apart,
        chance: agreement.chance,
    }
}

fn words(place: &str, agreement: &Agreement) -> Evidence {
    let Agreement { births: (own, other), apart, chance } = agreement;
    // What is beyond a million tells a reader nothing more.
    let pairs = match 1.0 / chance.max(1e-12) {
        pairs if pairs < 1e6 => format!("{pairs:.0}"),
        _ => "a million".to_owned(),
    };
    Evidence::new(format!(
        "{place} grows with it: {own} and {other} survivors were opened in the same steps of time, \
         {:.0} % as far apart as two leaks of their own would be (by chance in fewer than 1 of \
         {pairs} such pairs)",
        apart * 100.0,
    ))
}
