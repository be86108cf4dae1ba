//! A station's stock as columns of `dock_status` and `availability`.

use domain::Stock;

/// The numbers of some stations, a list for each of `ebikes, free_docks, capacity, broken_bikes,
/// broken_docks`.
pub(crate) fn columns(stocks: impl Iterator<Item = Stock>) -> [Vec<Option<i16>>; 5] {
    let mut columns = [const { Vec::new() }; 5];
    for stock in stocks {
        for (column, number) in columns.iter_mut().zip(stock.to_numbers()) {
            column.push(number.map(|number| i16::try_from(number).unwrap_or(i16::MAX)));
        }
    }
    columns
}

/// Reads `array[ebikes, free_docks, capacity, broken_bikes, broken_docks]`.
pub(crate) fn stock(row: &[Option<i16>]) -> Stock {
    let number = |at: usize| u16::try_from(row.get(at).copied().flatten()?).ok();
    Stock::from_numbers(std::array::from_fn(number))
}
