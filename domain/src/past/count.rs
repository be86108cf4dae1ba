//! A dock's count in bytes: what is usual takes two.

use chrono::DateTime;

use super::bytes::{read, read_signed, write, write_signed};
use crate::availability::DockCount;
use crate::{Service, Stock};

const ESTIMATED: u64 = 1;
const NOT_INSTALLED: u64 = 1 << 1;
const NOT_RENTING: u64 = 1 << 2;
const NOT_RETURNING: u64 = 1 << 3;
const NOT_IN_FEED: u64 = 1 << 4;
/// The first number of the stock; the others have the bits above.
const STOCK: u64 = 1 << 5;

/// The count as the past keeps it: whole seconds, and not when the station last spoke.
pub(super) fn kept(count: DockCount) -> DockCount {
    let last_seen = count.last_seen.map(|at| at.timestamp());
    DockCount {
        last_seen: last_seen.and_then(|second| DateTime::from_timestamp(second, 0)),
        last_reported: None,
        ..count
    }
}

/// Appends the count that holds from `second` on.
pub(super) fn write_count(bytes: &mut Vec<u8>, count: &DockCount, second: i64) {
    let numbers = count.stock.to_numbers();
    let known = (0..).zip(numbers).filter(|(_, number)| number.is_some());
    let stock = known.fold(0, |flags, (at, _): (u32, _)| flags | (STOCK << at));
    let flag = |holds: bool, flag| if holds { flag } else { 0 };
    let flags = flag(count.estimated, ESTIMATED)
        | flag(!count.service.installed, NOT_INSTALLED)
        | flag(!count.service.renting, NOT_RENTING)
        | flag(!count.service.returning, NOT_RETURNING)
        | flag(count.last_seen.is_some(), NOT_IN_FEED);
    write(bytes, flags | stock);
    write_signed(bytes, count.bikes.into());
    if let Some(at) = count.last_seen {
        write_signed(bytes, second - at.timestamp());
    }
    for number in numbers.into_iter().flatten() {
        write(bytes, number.into());
    }
}

/// Takes a count off the front; none if there is no whole one.
pub(super) fn read_count(bytes: &mut &[u8], second: i64) -> Option<DockCount> {
    let flags = read(bytes)?;
    let bikes = i32::try_from(read_signed(bytes)?).ok()?;
    let last_seen = if flags & NOT_IN_FEED == 0 {
        None
    } else {
        let second = second.checked_sub(read_signed(bytes)?)?;
        Some(DateTime::from_timestamp(second, 0)?)
    };
    let mut numbers = [None; 5];
    for (at, number) in (0..).zip(&mut numbers) {
        if flags & (STOCK << at) != 0 {
            *number = Some(u16::try_from(read(bytes)?).ok()?);
        }
    }
    Some(DockCount {
        bikes,
        estimated: flags & ESTIMATED != 0,
        service: Service {
            installed: flags & NOT_INSTALLED == 0,
            renting: flags & NOT_RENTING == 0,
            returning: flags & NOT_RETURNING == 0,
        },
        last_seen,
        stock: Stock::from_numbers(numbers),
        last_reported: None,
    })
}
