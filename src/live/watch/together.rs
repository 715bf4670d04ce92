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

/// Pairs of reported groups that agree, by the group that leads.
pub(super) type Joined = BTreeMap<GroupId, Vec<(GroupId, Agreement)>>;

/// Compares the births of what survives in all reported groups that are findings of their own.
pub(super) fn joined(target: &TargetWatch, now: Millis) -> Joined {
    let mut groups: Vec<(GroupId, Verdict, Millis)> = target
        .reported
        .iter()
        .filter_map(|&id| {
            let verdict = target.standings.get(&id)?.verdict()?;
            let age = target.judged_of(id)?.age;
            (verdict >= Verdict::Suspect).then_some((id, verdict, age))
        })
        .collect();
    // The worst verdict leads, and of these the group that is known longest.
    groups.sort_by_key(|&(id, verdict, _)| (std::cmp::Reverse(verdict), id));
    groups.truncate(MOST);
    let pairs = groups.len() * groups.len().saturating_sub(1) / 2;
    let mut joined = Joined::new();
    let mut taken = Vec::new();
    for (at, &(first, _, age)) in groups.iter().enumerate() {
        if taken.contains(&first) {
            continue;
        }
        for &(second, _, other) in &groups[at + 1..] {
            if taken.contains(&second) {
                continue;
            }
            // What is younger may yet close.
            let until = now - age.max(other);
            let (a, b) = (births(target, first, until), births(target, second, until));
            if let Some(found) = agreement(&a, &b, target.timing.bucket_ms(), pairs) {
                taken.push(second);
                joined.entry(first).or_default().push((second, found));
            }
        }
    }
    joined
}

/// When the survivors of a group were opened, of those that were opened under our eyes.
fn births(target: &TargetWatch, id: GroupId, until: Millis) -> Vec<Millis> {
    target.census.births(id).filter(|&born| born > target.origin && born <= until).collect()
}

/// Puts what is joined into the rows of groups; `ids` are those of rows by group.
pub(super) fn tell(joined: &Joined, rows: &mut [(GroupId, ResourceOutcome)]) {
    let names: BTreeMap<GroupId, (String, String)> = rows
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
