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

    // What the search says.
    Or: "{0} or {1}", "{0} o {1}";
    TheseDegrees: "where these degrees are", "donde están estos grados";
    AmidNeighbourhood: "amid this neighbourhood", "en medio de este barrio";
    DockAtCorner: "the dock at this corner", "la estación de esta esquina";
    DockOfName: "the dock of this name", "la estación de este nombre";
    DockIn: "{0}, in {1}", "{0}, en {1}";
    EstimatedAddress: "estimated from the street grid: nine of ten such addresses are within {0} m",
        "estimado por la cuadrícula: nueve de cada diez direcciones así están a menos de {0} m";
    EstimatedCorner: "estimated from the street grid: nine of ten such corners are within {0} m",
        "estimado por la cuadrícula: nueve de cada diez esquinas así están a menos de {0} m";
    NotAnAddress: "\"{0}\" is not an address: {1}", "\"{0}\" no es una dirección: {1}";
    TooLong: "that is longer than any address: {0}", "eso es más largo que cualquier dirección: {0}";
    NoSide: "\"{0}\" could be east or west of 5 Avenue: {1} or \"{2} W {3} St\"",
        "\"{0}\" podría estar al este o al oeste de la 5 Avenue: {1} o \"{2} W {3} St\"";
    SeveralBoroughs: "\"{0}\" is in more than one place: add the borough, or for Manhattan the side as in \
                      \"W 14 St\"; or {1}",
        "\"{0}\" está en más de un lugar: añade el distrito o, en Manhattan, el lado como en \"W 14 St\"; \
         o {1}";
    Hyphenated: "\"{0}\" is not known here: a number with a hyphen is one of Queens, where only corners and \
                 names of docks are known; in Manhattan {1}",
        "\"{0}\" no se conoce aquí: un número con guion es de Queens, donde solo se conocen esquinas y \
         nombres de estaciones; en Manhattan {1}";
    NotKnownHere: "\"{0}\" is not known here: {1}", "\"{0}\" no se conoce aquí: {1}";
    OnlyCorners: "in {0} only corners and names of docks are known, such as \"{1}\", and addresses are known \
                  in Manhattan alone: {2}",
        "en {0} solo se conocen esquinas y nombres de estaciones, como \"{1}\", y direcciones solo en \
         Manhattan: {2}";
    NoDocksThere: "no docks stand on {0}, and addresses are known in Manhattan alone: {1}",
        "en {0} no hay estaciones, y solo se conocen direcciones de Manhattan: {1}";
    DocksAreIn: "docks are known in Manhattan, the Bronx, Brooklyn, Queens and Jersey City alone, and \
                 addresses are known in Manhattan alone: {0}",
        "solo se conocen estaciones de Manhattan, el Bronx, Brooklyn, Queens y Jersey City, y direcciones \
         solo de Manhattan: {0}";
    InAnotherArea: "\"{0}\" is not known here: the dock of this name is in {1}; leave out the place, or {2}",
        "\"{0}\" no se conoce aquí: la estación de este nombre está en {1}; quita el lugar, o {2}";
    UnknownBorough: "\"{0}\" is not known here, for \"{1}\" is no borough or town that is known: leave it \
                     out, or {2}",
        "\"{0}\" no se conoce aquí, porque \"{1}\" no es un distrito ni una ciudad que se conozca: quítalo, \
         o {2}";
    Contradiction: "\"{0}\" is not known here: its town, state and ZIP code are not of one place; leave out \
                    what is wrong, or {1}",
        "\"{0}\" no se conoce aquí: su ciudad, su estado y su código postal no son de un mismo lugar; quita \
         lo que esté mal, o {1}";
    UnknownInManhattan: "\"{0}\" is not known here: {1}, on an avenue or a numbered street of Manhattan, or a \
                         corner with a dock, such as \"Broadway & W 25 St\"",
        "\"{0}\" no se conoce aquí: {1}, en una avenida o una calle numerada de Manhattan, o una esquina con \
         estación, como \"Broadway & W 25 St\"";

    // The same of a city's own map.
    WhereNameStands: "where its name stands on the map", "donde está su nombre en el mapa";
    CornerOfStreets: "the corner of these streets", "la esquina de estas calles";
    HouseOfNumber: "the house of this number", "la casa de este número";
    HouseNumber: "the house number {0}", "la casa número {0}";
    BetweenNumbers: "estimated between number {0} and {1}", "estimado entre el número {0} y el {1}";
    StreetAlone: "\"{0}\" is a street: {1}", "\"{0}\" es una calle: {1}";
    AddNumber: "add a building number, such as \"{0}\"", "añade un número, como \"{0}\"";
    AddStreet: "add a street that it meets, such as \"{0}\"", "añade una calle que la cruce, como \"{0}\"";
    OneWayOrOther: "{0}, or {1}", "{0}, o {1}";
    NoSuchStreet: "\"{0}\" is not known here, for the map has no such street: {1}",
        "\"{0}\" no se conoce aquí, porque el mapa no tiene esa calle: {1}";
    MapHas: "\"{0}\" is not known here: the map has {1}; {2}", "\"{0}\" no se conoce aquí: el mapa tiene {1}; {2}";
    NumberAlone: "number {0} of it alone", "solo su número {0}";
    SomeNumbers: "some numbers of it, from {0} to {1}", "algunos de sus números, del {0} al {1}";
    NoNumber: "no building number of it", "ninguno de sus números";
    NoCorner: "\"{0}\" is not known here, for on the map these streets do not meet: {1}",
        "\"{0}\" no se conoce aquí, porque en el mapa estas calles no se cruzan: {1}";
    SeveralPlaces: "\"{0}\" is in more than one place: add which, as in {1}",
        "\"{0}\" está en más de un lugar: añade en cuál, como en {1}";
    Elsewhere: "\"{0}\" is not known here: it is in {1}; leave out the place, or {2}",
        "\"{0}\" no se conoce aquí: está en {1}; quita el lugar, o {2}";
    NoSuchPlace: "\"{0}\" is not known here, for \"{1}\" is no place of the map: leave it out, or {2}",
        "\"{0}\" no se conoce aquí, porque \"{1}\" no es un lugar del mapa: quítalo, o {2}";
    NameExpected: "type the name of a part of the city", "escribe el nombre de una parte de la ciudad";
    CornerExpected: "type two streets that meet, such as \"{0}\"",
        "escribe dos calles que se crucen, como \"{0}\"";
}

/// A page is sent those before this one.
pub(super) const NOT_SENT: Word = Word::Title;
