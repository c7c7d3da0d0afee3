"""Countries and territories: capitals, borders, currencies, languages, areas, codes."""

from __future__ import annotations

import re

from miniwiki_build.atlas import Land, agree, dig, lands, near, number
from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table, clean, slug

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "SA": "South America",
    "OC": "Oceania",
}
REGIONS = {"North America": "Americas", "South America": "Americas"}
# Currency words that are common nouns; the rest of a currency's name is a proper noun.
COMMON = frozenset(
    "afghani ariary baht balboa birr boliviano cedi colon dalasi denar dinar dirham dobra dollar "
    "dong dram escudo euro florin forint franc gourde guarani guilder hryvnia kina kip koruna "
    "krona krone kwacha kwanza kyat lari lek lempira leone leu lev lilangeni lira loti manat mark "
    "metical "
    "naira nakfa ngultrum ouguiya pa'anga pataca peso pound pula quetzal rand real renminbi rial "
    "riel ringgit riyal ruble rufiyaa rupee rupiah sheqel shilling sol som somoni sterling sum "
    "tala taka tenge tugrik vatu won yen yuan zloty new".split()
)
LANGUAGES = {"el": "Greek", "ht": "Haitian Creole", "nn": "", "ms": "Malay", "sw": "Swahili"}
RULERS = {
    "UK": "GB",
    "France": "FR",
    "Norway": "NO",
    "Australia": "AU",
    "US": "US",
    "New Zealand": "NZ",
    "Kingdom of Denmark": "DK",
    "Kingdom of the Netherlands": "NL",
}


def add_countries(table: Table, sources: Sources) -> dict[str, Key]:
    """Adds countries and territories with what joins them; returns their keys by ISO code."""
    atlas = lands(sources)
    keys = {}
    for iso, land in atlas.items():
        aliases = [dig(land.book, "Government", "Country name", "conventional long form")]
        aliases = [a for a in aliases if 3 < len(a) < 60 and a != "none"]
        keys[iso] = table.entity(land.kind, iso, land.name, aliases, land.article, (land.kind, iso))
    currencies = _currencies(sources)
    languages = _languages(sources)
    for iso, land in atlas.items():
        key = keys[iso]
        _place(table, land, key)
        _codes(table, land, key)
        _borders(table, land, key, atlas, keys)
        _currency(table, land, key, currencies)
        _spoken(table, land, key, languages)
        _state(table, land, key, keys)
    return keys


def _place(table: Table, land: Land, key: Key) -> None:
    continent = CONTINENTS.get(land.geo["continentcode"], "")
    region = land.info.get("region") or ""
    if continent and REGIONS.get(continent, continent) == region:
        at = table.entity("continent", continent, continent, (), "", ("continent",))
        table.fact(key, f"{land.kind}_continent", at)
    subregion = clean(land.info.get("subregion") or "")
    if subregion and land.kind == "country" and subregion != continent:
        article = "the" if subregion in {"Caribbean"} else ""
        at = table.entity("region", subregion, subregion, (), article, ("region",))
        table.fact(key, "country_region", at)
    areas = [land.geo["areakm2"], land.info.get("area") or 0]
    total = number(dig(land.book, "Geography", "Area", "total "))
    if total and total > 0 and near(total, *areas):
        table.fact(key, f"{land.kind}_area", total)


def _codes(table: Table, land: Land, key: Key) -> None:
    calling = land.info.get("callingCodes") or []
    phone = re.sub(r"\D", "", land.geo["phone"] or "")
    if land.kind == "country":
        if len(calling) == 1 and calling[0] == phone:
            table.fact(key, "country_calling_code", f"+{phone}")
        domains = land.info.get("tld") or []
        book = dig(land.book, "Communications", "Internet country code")
        if domains[:1] == [land.geo["tld"]] and book == land.geo["tld"]:
            table.fact(key, "country_domain", book)
        table.fact(key, "country_code", land.geo["iso3"])
        adjective = dig(land.book, "People and Society", "Nationality", "adjective")
        if adjective and adjective == land.info.get("demonym"):
            table.fact(key, "country_demonym", adjective)


def _borders(
    table: Table, land: Land, key: Key, atlas: dict[str, Land], keys: dict[str, Key]
) -> None:
    by_iso3 = {other.geo["iso3"]: iso for iso, other in atlas.items()}
    mine = {by_iso3.get(code) for code in land.info.get("borders") or []}
    theirs = set((land.geo["neighbours"] or "").split(","))
    for iso in mine & theirs:
        if iso in atlas and land.kind == atlas[iso].kind == "country":
            table.fact(key, "country_border", keys[iso])
            table.fact(keys[iso], "country_border", key)


def _currencies(sources: Sources) -> dict[str, str]:
    rows = sources.json("pycountry", "pycountry/databases/iso4217.json")["4217"]
    names = {}
    for row in rows:
        words = clean(row["name"]).split()
        words = [word.lower() if word.lower() in COMMON else word for word in words]
        names[row["alpha_3"]] = " ".join(words)
    return names


def _currency(table: Table, land: Land, key: Key, names: dict[str, str]) -> None:
    code = land.geo["currencycode"]
    agreed = land.info.get("currencies") == [code] and code in names
    if land.kind == "country" and agreed:
        at = table.entity("currency", code, names[code], (), "the", ("currency",))
        table.fact(at, "currency_code", code)
        table.fact(key, "country_currency", at)


def _languages(sources: Sources) -> dict[str, str]:
    rows = sources.json("pycountry", "pycountry/databases/iso639-3.json")["639-3"]
    names = {r["alpha_2"]: re.sub(r" \(.*", "", r["name"]) for r in rows if "alpha_2" in r}
    return {code: LANGUAGES.get(code, name) for code, name in names.items()}


def _spoken(table: Table, land: Land, key: Key, names: dict[str, str]) -> None:
    """Official languages: named by countryinfo and GeoNames and marked official by the factbook."""
    if land.kind != "country":
        return
    text = dig(land.book, "People and Society", "Languages", "Languages")
    official = [part for part in re.split(r"[,;]", text) if "(official" in part]
    spoken = {code.split("-")[0] for code in (land.geo["languages"] or "").split(",")}
    for code in sorted(set(land.info.get("languages") or []) & spoken):
        name = names.get(code, "")
        if name and any(re.search(rf"\b{re.escape(name)}\b", part) for part in official):
            at = table.entity("language", code, name, (), "", ("language",))
            table.fact(at, "language_code", code)
            table.fact(key, "country_language", at)


def _state(table: Table, land: Land, key: Key, keys: dict[str, Key]) -> None:
    independence = dig(land.book, "Government", "Independence")
    found = re.match(r"^\d{1,2} [A-Z][a-z]+ (1[5-9]\d\d|20\d\d) \(from ([^();]+)\)$", independence)
    if land.kind == "country" and found:
        table.fact(key, "country_independence", found[1])
        ruler = re.sub(r"^the ", "", found[2])
        iso = RULERS.get(ruler) or next(
            (i for i, k in keys.items() if table.rows[k].name == ruler), None
        )
        if iso:
            table.fact(key, "country_independent_from", keys[iso])
    ruled = re.search(
        r" of (?:the )?(Kingdom of Denmark|UK|France|Norway|Australia|US|New Zealand|"
        r"Kingdom of the Netherlands)\b",
        land.dependency,
    )
    if ruled:
        table.fact(key, "territory_sovereign", keys[RULERS[ruled[1]]])


def capital_names(sources: Sources) -> dict[str, str]:
    """The capital of each country where the sources agree, by ISO code."""
    names = {}
    for iso, land in lands(sources).items():
        book = re.split(r"[(;,]", dig(land.book, "Government", "Capital", "name"))[0].strip()
        mine, theirs = clean(land.geo["capital"] or ""), clean(land.info.get("capital") or "")
        if mine and theirs and agree(mine, theirs) and (not book or agree(mine, book)):
            names[iso] = mine
    return {iso: name for iso, name in names.items() if slug(name)}
