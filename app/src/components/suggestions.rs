//! What a search that is being typed may become: a list under the field, as ARIA's combobox has it.

use std::time::Duration;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::city::City;
use crate::model::{Suggestion, SuggestionKind};
use crate::words::Word;

/// Id of the list, for the field.
pub(crate) const LIST_ID: &str = "suggestions";

/// Typing has stopped for now when nothing came for this long.
const TYPED: Duration = Duration::from_millis(120);

/// The suggestions for what is in the field; copies share them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suggestions {
    list: RwSignal<Vec<Suggestion>>,
    /// The one that the arrow keys are at.
    active: RwSignal<Option<i32>>,
    /// Number of the last change: what was asked before it is not shown any more.
    change: RwSignal<i64>,
}

impl Suggestions {
    pub(crate) fn new() -> Self {
        Self {
            list: RwSignal::new(Vec::new()),
            active: RwSignal::new(None),
            change: RwSignal::new(0),
        }
    }

    /// Asks for what `typed` may become, once typing has stopped for a moment.
    pub(crate) fn ask(self, typed: String) {
        let change = self.next_change();
        let is_last = move || self.change.get_untracked() == change;
        let ask = move || {
            if !is_last() {
                return;
            }
            suggest(typed, move |list| {
                if is_last() {
                    self.active.set(None);
                    self.list.set(list);
                }
            });
        };
        set_timeout(ask, TYPED);
    }

    /// Takes the list away.
    pub(crate) fn close(self) {
        self.next_change();
        self.active.set(None);
        self.list.update(Vec::clear);
    }

    pub(crate) fn is_open(self) -> bool {
        self.list.with(|list| !list.is_empty())
    }

    /// Id of the suggestion that the arrow keys are at.
    pub(crate) fn active_id(self) -> Option<String> {
        self.active.get().map(id)
    }

    /// Arrow keys go through the list, Escape closes it, Enter takes one; gives what was taken.
    pub(crate) fn take_key(self, event: &KeyboardEvent) -> Option<String> {
        let (length, active) = (
            self.list.with_untracked(|list| list.len() as i32),
            self.active.get_untracked(),
        );
        let next = match (event.key().as_str(), active) {
            _ if length == 0 => return None,
            ("Escape", _) => {
                event.prevent_default();
                self.close();
                return None;
            }
            ("Enter", Some(active)) => {
                event.prevent_default();
                let taken = usize::try_from(active).ok()?;
                let taken = self.list.with_untracked(|list| list.get(taken).cloned());
                return taken.map(|suggestion| suggestion.text);
            }
            ("ArrowDown", None) => 0,
            ("ArrowDown", Some(active)) => (active + 1) % length,
            ("ArrowUp", None | Some(0)) => length - 1,
            ("ArrowUp", Some(active)) => active - 1,
            _ => return None,
        };
        event.prevent_default();
        self.active.set(Some(next));
        None
    }

    fn next_change(self) -> i64 {
        self.change.update_untracked(|change| *change += 1);
        self.change.get_untracked()
    }
}

/// Asks the server; without a response a search goes on as it is typed.
#[cfg(feature = "hydrate")]
fn suggest(typed: String, show: impl FnOnce(Vec<Suggestion>) + 'static) {
    leptos::task::spawn_local(async move {
        show(crate::client::search::suggest(&typed).await);
    });
}

#[cfg(not(feature = "hydrate"))]
fn suggest(_typed: String, _show: impl FnOnce(Vec<Suggestion>)) {}

fn id(index: i32) -> String {
    format!("{LIST_ID}-{index}")
}

/// The list under the field.
#[component]
pub(crate) fn SuggestionList(
    suggestions: Suggestions,
    /// Called with the search that was chosen.
    choose: Callback<String>,
) -> impl IntoView {
    let city = expect_context::<City>();
    let item = move |(index, suggestion): (i32, Suggestion)| {
        let Suggestion { text, kind } = suggestion;
        let is_active = move || suggestions.active.get() == Some(index);
        let chosen = text.clone();
        view! {
            <li
                id=id(index)
                role="option"
                aria-selected=move || is_active().to_string()
                // Before the field loses its focus, which closes the list.
                on:pointerdown=move |event| {
                    event.prevent_default();
                    choose.run(chosen.clone());
                }
            >
                <span class="name">{text}</span>
                <span class="kind">{city.text(word(kind))}</span>
            </li>
        }
    };
    let items = move || {
        let list = (0..).zip(suggestions.list.get());
        list.map(item).collect_view()
    };
    view! {
        <ul
            id=LIST_ID
            class="suggestions"
            role="listbox"
            aria-label=city.text(Word::Suggestions)
            hidden=move || !suggestions.is_open()
        >
            {items}
        </ul>
    }
}

fn word(kind: SuggestionKind) -> Word {
    match kind {
        SuggestionKind::Address => Word::Address,
        SuggestionKind::Corner => Word::Corner,
        SuggestionKind::Neighbourhood => Word::Neighbourhood,
        SuggestionKind::Dock => Word::Dock,
    }
}
