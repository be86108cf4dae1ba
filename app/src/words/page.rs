//! The texts, English beside Spanish. `{0}`, `{1}` are values; what is counted has a text for one and one
//! for several.

/// Makes the names of the texts, and a table of each language.
macro_rules! words {
    ($($name:ident: $english:literal, $spanish:literal;)*) => {
        /// The name of a text; its place in each table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(dead_code, reason = "server and browser each say a part of them")]
        pub(crate) enum Word {
            $($name,)*
        }

        #[cfg(all(test, feature = "ssr"))]
        impl Word {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }

        #[cfg(feature = "ssr")]
        pub(super) static ENGLISH: &[&str] = &[$($english,)*];

        #[cfg(feature = "ssr")]
        pub(super) static SPANISH: &[&str] = &[$($spanish,)*];
    };
}

words! {
    // Which language it is, and the other one.
    Code: "en", "es";
    OtherCode: "es", "en";
    OtherName: "Español", "English";

    // The head.
    Heading: "Bikes at the docks", "Bicis en las estaciones";
    Skip: "Skip to the list of docks", "Ir a la lista de estaciones";
    WithoutScript: "Without script the numbers stand still: reload for newer ones.",
        "Sin script los números no cambian: recarga la página para verlos de nuevo.";

    // How far the numbers can be trusted.
    ThePast: "the past", "el pasado";
    UpToDate: "up to date", "al día";
    Live: "live", "en directo";
    Stale: "stale: no news for {0}", "sin novedades desde hace {0}";
    Reconnecting: "reconnecting…", "conectando de nuevo…";
    Offline: "offline: as it was {0} ago", "sin conexión: así estaba hace {0}";
    DatabaseDown: "the database does not respond: these are the last numbers known",
        "la base de datos no responde: estos son los últimos números que se conocen";
    Seconds: "{0} seconds", "{0} segundos";
    Minute: "a minute", "un minuto";
    Minutes: "{0} minutes", "{0} minutos";
    Hours: "{0} hours", "{0} horas";
    Days: "{0} days", "{0} días";

    // The clock.
    AsOf: "as of {0}", "datos del {0}";
    AsItWas: "as it was on {0}", "como estaba el {0}";
    NoClock: "the clock has not started yet", "el reloj aún no ha empezado";
    BackToNow: "Back to now", "Volver a ahora";
    LocalTime: "{0} {1} {2} {3}, {4} {5} time", "{0} {1} {2} {3}, {4}, hora de {5}";
    LastSeenAt: "{0} {1}, {2}", "{0} {1}, {2}";
    Weekdays: "Mon Tue Wed Thu Fri Sat Sun", "lun mar mié jue vie sáb dom";
    Months: "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "ene feb mar abr may jun jul ago sep oct nov dic";

    // The search.
    SearchLabel: "Find bikes near an address", "Buscar bicis cerca de una dirección";
    SearchExpected: "type a building number and a street name, such as \"{0}\"",
        "escribe un número y el nombre de una calle, como \"{0}\"";
    Find: "Find", "Buscar";
    FindNearMe: "Find bikes near me", "Buscar bicis cerca de mí";
    NearMe: "Near me", "Cerca de mí";
    SearchUnanswered: "the server did not answer the search: try again",
        "el servidor no respondió a la búsqueda: inténtalo de nuevo";
    PlaceRefused: "this page may not know where you are: allow it in the browser, or type an address, \
                   such as \"1 Park Avenue\"",
        "esta página no puede saber dónde estás: permítelo en el navegador, o escribe una dirección, \
         como \"1 Park Avenue\"";
    PlaceUnknown: "your device does not know where it is: type an address, such as \"1 Park Avenue\"",
        "tu dispositivo no sabe dónde está: escribe una dirección, como \"1 Park Avenue\"";
    Suggestions: "Suggestions", "Sugerencias";
    Address: "address", "dirección";
    Corner: "corner", "esquina";
    Neighbourhood: "neighbourhood", "barrio";
    Dock: "dock", "estación";

    // What is sought: one, several, and what a station has that has some.
    ShowOnTheMap: "Show on the map", "Mostrar en el mapa";
    OneBike: "{0} bike", "{0} bici";
    Bikes: "{0} bikes", "{0} bicis";
    SomeBikes: "bikes", "bicis";
    OneEbike: "{0} e-bike", "{0} bici eléctrica";
    Ebikes: "{0} e-bikes", "{0} bicis eléctricas";
    SomeEbikes: "e-bikes", "bicis eléctricas";
    OneFreeDock: "{0} free dock", "{0} anclaje libre";
    FreeDocks: "{0} free docks", "{0} anclajes libres";
    SomeFreeDocks: "free docks", "anclajes libres";
    Room: "room", "sitio";

    // The map.
    Map: "Map", "Mapa";
    MapHelp: "Map of docks: arrow keys move it, plus and minus zoom. The list of docks holds the same.",
        "Mapa de estaciones: las flechas lo mueven, más y menos lo acercan y alejan. La lista de \
         estaciones contiene lo mismo.";
    ZoomIn: "Zoom in", "Acercar";
    ZoomOut: "Zoom out", "Alejar";
    ShowAll: "Show all docks", "Mostrar todas las estaciones";
    Legend: "Legend", "Leyenda";
    NoneOf: "no {0}", "sin {0}";
    NoDocksYet: "no docks yet: waiting for the first trips",
        "aún no hay estaciones: esperando los primeros viajes";

    // A dock.
    NoBikesToTake: "no bikes to take", "ninguna bici para llevar";
    ProbablyNoBikes: "probably no bikes", "probablemente ninguna bici";
    NoBikes: "no bikes", "ninguna bici";
    About: "about {0}", "unas {0}";
    NoneElectric: ", none electric", ", ninguna eléctrica";
    OneElectric: ", electric", ", eléctrica";
    AllElectric: ", all electric", ", todas eléctricas";
    SomeElectric: ", {0} of them electric", ", {0} de ellas eléctricas";
    NoFreeDocks: "no free docks", "ningún anclaje libre";
    OneBrokenBike: "{0} broken bike", "{0} bici averiada";
    BrokenBikes: "{0} broken bikes", "{0} bicis averiadas";
    OneBrokenDock: "{0} broken dock", "{0} anclaje averiado";
    BrokenDocks: "{0} broken docks", "{0} anclajes averiados";
    NoReturns: "no returns", "sin devoluciones";
    ReturnsOnly: "returns only", "solo devoluciones";
    Closed: "closed", "cerrada";
    LastSeen: "last seen {0}", "vista por última vez el {0}";

    // The lists.
    AllDocks: "All docks", "Todas las estaciones";
    DocksSummary: "{0} of {1} docks have {2}, {3} in all", "{0} de {1} estaciones tienen {2}, {3} en total";
    MyDocks: "My docks", "Mis estaciones";
    KeepAmongMyDocks: "Keep among my docks", "Guardar entre mis estaciones";
    SelectedDock: "Selected dock", "Estación elegida";
    Close: "Close", "Cerrar";
    Feed: "The docks as a GBFS 3.0 feed", "Las estaciones como feed GBFS 3.0";

    // What a search gave.
    RedCircle: "The red circle is {0}. ", "El círculo rojo es {0}. ";
    Clear: "Clear", "Borrar";
    NearestWith: "The nearest with {0}", "La más cercana con {0}";
    NoneNear: "No dock with {0} within three blocks.", "Ninguna estación con {0} a menos de tres manzanas.";
    SomeNear: "{0} within three blocks.", "{0} a menos de tres manzanas.";
    AtOneDock: "{0} at 1 dock within three blocks.", "{0} en 1 estación a menos de tres manzanas.";
    AtDocks: "{0} at {1} docks within three blocks.", "{0} en {1} estaciones a menos de tres manzanas.";
    Way: "{0} m · {1} · {2} min walk", "{0} m · {1} · {2} min a pie";
    OnTheSpot: "on the spot", "aquí mismo";
    HalfABlock: "half a block", "media manzana";
    OneBlock: "1 block", "1 manzana";
    Blocks: "{0} blocks", "{0} manzanas";

    // The film.
    Play: "Play", "Reproducir";
    Pause: "Pause", "Pausa";
    PastUnreadable: "the past could not be read: try again soon",
        "no se pudo leer el pasado: inténtalo de nuevo en un momento";
    DayUnreadable: "its day could not be read: it will be asked for again",
        "no se pudo leer su día: se pedirá de nuevo";

    // What the server alone says: a page is not sent these.
    Title: "Bikes at the docks, live", "Bicis en las estaciones, en directo";
    Description: "Which docks have bikes, as it happens.", "Qué estaciones tienen bicis, en cada momento.";
    LookBack: "Look back", "Mirar atrás";
    InstantShown: "Instant shown", "Instante mostrado";
    Speed: "Speed", "Velocidad";
    Now: "now", "ahora";
    DayAndTime: "Day and time", "Día y hora";
    Show: "Show", "Mostrar";
    LastTaken: "Last taken {0}", "Última salida {0}";
    LastReturned: "Last returned {0}", "Última devolución {0}";
    NothingForADay: "No bike was taken or returned for a day.",
        "Nadie ha cogido ni devuelto una bici en un día.";
    TakenAndReturned: "Today {0} taken, {1} returned.", "Hoy {0} cogidas, {1} devueltas.";
    TheDayBefore: " Grey: the {0} before.", " En gris: el {0} anterior.";
    TheDaysBefore: " Grey: {0} in the last {1} weeks, with their spread.",
        " En gris: {0} en las últimas {1} semanas, con su variación.";
    LongWeekdays: "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "lunes martes miércoles jueves viernes sábado domingo";
    BikesToday: "Bikes today, 0 to {0}", "Bicis hoy, de 0 a {0}";
    AnHour: "an hour", "una hora";
    PerhapsBroken: "{0} bikes, none taken for {1}, when about {2} usually are: perhaps broken",
        "{0} bicis, ninguna cogida desde hace {1}, cuando suelen ser unas {2}: quizá averiadas";
    TakenInFiveMinutes: "Bikes taken in five minutes, 0 to {0}", "Bicis cogidas en cinco minutos, de 0 a {0}";
    TakenOnThisDay: "{0} bikes taken on this day, {1} of them in the five minutes shown",
        "{0} bicis cogidas este día, {1} de ellas en los cinco minutos mostrados";
    NoInstant: "this is no instant: type an instant such as 2020-03-01T08:30, by the city's clocks",
        "esto no es un instante: escribe uno como 2020-03-01T08:30, según los relojes de la ciudad";
    NoPast: "nothing of the past is stored yet: these are the docks as they are now",
        "aún no se guarda nada del pasado: así están las estaciones ahora";
    NotYet: "this has not come yet: these are the docks as they are now",
        "esto aún no ha llegado: así están las estaciones ahora";
    PastBegins: "before this nothing is stored: the past begins here",
        "antes no se guarda nada: el pasado empieza aquí";
    PastIsCorrected: "something came late: this part of the past is being corrected",
        "algo llegó tarde: esta parte del pasado se está corrigiendo";
    PastEnds: "the past is stored up to here so far", "de momento el pasado se guarda hasta aquí";
}

/// A page is sent those before this one.
pub(super) const NOT_SENT: Word = Word::Title;
