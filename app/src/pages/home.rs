//! `/`: search, map and docks.

use leptos::prelude::*;

use crate::app::Drawn;
use crate::city::City;
use crate::components::clock::Clock;
use crate::components::dock_item::Chosen;
use crate::components::dock_list::DockList;
use crate::components::dock_panel::DockPanel;
use crate::components::favourites::FavouriteDocks;
use crate::components::flash::Flash;
use crate::components::map_view::MapView;
use crate::components::past::PastView;
use crate::components::search_form::SearchForm;
use crate::components::search_results::SearchResults;
use crate::components::seeking_choice::SeekingChoice;
use crate::components::status::Status;
use crate::words::Word;

/// Puts the parts in reading order; the style sheet puts them on the screen.
#[component]
pub(crate) fn Home(
    /// What the server has drawn.
    drawn: Drawn,
) -> impl IntoView {
    let Drawn {
        still_map,
        past,
        dock_day,
    } = drawn;
    let city = expect_context::<City>();
    let other = city.text(Word::OtherCode);
    let other_language = format!("/?lang={other}");
    provide_context(Chosen(Selector::new(move || city.selected.get())));
    view! {
        <a class="skip" href="#docks">{city.text(Word::Skip)}</a>
        <main class="page">
            <header class="top">
                <div class="title">
                    <h1>{city.text(Word::Heading)}</h1>
                    <Status />
                </div>
                <Clock />
                <SearchForm />
                <SeekingChoice />
                <Flash />
            </header>
            <MapView still_map />
            <PastView panel=past />
            <div class="lists">
                <DockPanel drawn=dock_day />
                <SearchResults />
                <FavouriteDocks />
                <DockList />
                <footer class="hint">
                    <a href=other_language hreflang=other rel="external">
                        <span lang=other>{city.text(Word::OtherName)}</span>
                    </a>
                    " · "
                    <a href="/gbfs/gbfs.json" rel="external">{city.text(Word::Feed)}</a>
                </footer>
            </div>
        </main>
    }
}
