"""Places are found in residents' words, and ambiguous ones are never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jurisdiction import load_jurisdiction

JURISDICTION = load_jurisdiction()


@pytest.mark.parametrize(
    ("text", "status", "community"),
    [
        ("碧眼社区垃圾没人清", "inside", "碧眼"),
        ("迳口旧村", "inside", "迳口"),
        ("径口那边", "inside", "迳口"),
        ("泾口村", "inside", "迳口"),
        ("百花洞新围", "inside", "白花"),
        ("白花新围", "inside", "白花"),
        ("光明社区新围", "inside", "光明"),
        ("新围", "ambiguous", None),
        ("光明街道新围", "ambiguous", None),
        ("翠湖那边", "ambiguous", None),
        ("光明翠湖", "inside", "翠湖"),
        ("翠湖公园的灯坏了", "inside", "翠湖"),
        ("光明区翠湖社区", "inside", "翠湖"),
        ("龙岗翠湖社区", "outside", None),
        ("红星", "ambiguous", None),
        ("玉塘红星", "other_subdistrict", None),
        ("松岗红星社区", "outside", None),
        ("笔架山", "ambiguous", None),
        ("笔架山城中村", "inside", "光明"),
        ("福田区笔架山公园", "outside", None),
        ("光明社区的笔架山", "inside", "光明"),
        ("光明", "ambiguous", None),
        ("在光明这边", "ambiguous", None),
        ("光明街道", "inside", None),
        ("光明社区", "inside", "光明"),
        ("光明区", "unknown", None),
        ("公明上村", "other_subdistrict", None),
        ("圳美社区", "other_subdistrict", None),
        ("楼村", "other_subdistrict", None),
        ("中大七院", "other_subdistrict", None),
        ("李松朗", "other_subdistrict", None),
        ("龙华区民治", "outside", None),
        ("我是湖南人，住碧眼", "inside", "碧眼"),
        ("我是湖南人", "unknown", None),
        ("北京烤鸭店油烟", "unknown", None),
        ("碧眼的北京烤鸭店", "inside", "碧眼"),
        ("东莞塘厦", "outside", None),
        ("不是碧眼，是迳口", "inside", "迳口"),
        ("是迳口不是碧眼", "inside", "迳口"),
        ("是不是碧眼社区管的", "inside", "碧眼"),
        ("我在福田上班，家住碧眼，楼上漏水", "inside", "碧眼"),
        ("我住碧眼，要反映东周木墩村工地", "inside", "东周"),
        ("我住在龙华，厂在光明街道东周社区欠薪", "inside", "东周"),
        ("深圳市光明区光明街道白花社区", "inside", "白花"),
        ("宝安区光明街道碧眼", "inside", "碧眼"),
        ("光明新区公明街道", "other_subdistrict", None),
        ("白花钱了", "unknown", None),
        ("前途光明", "unknown", None),
        ("木墩村的路", "inside", "东周"),
        ("光明大道513号", "inside", "东周"),
        ("光明大道堵车", "unknown", None),
        ("科裕新村", "inside", None),
        ("光明新村", "inside", None),
        ("富民花园", "inside", "白花"),
        ("地铁光明站", "inside", "翠湖"),
        ("长沙的社保", "outside", None),
        ("老家在河南，现在住清怡小区", "inside", "翠湖"),
        ("碧眼和东周交界", "inside", None),
        ("马田街道将石新围", "other_subdistrict", None),
        ("新湖街道新围", "other_subdistrict", None),
        ("石家庄", "outside", None),
        ("不在光明街道，在宝安西乡", "outside", None),
        ("西乡街道", "outside", None),
        ("我家在西乡", "outside", None),
        ("光明农场", "inside", None),
        ("楼村委会", "unknown", None),
        ("凤凰街道塘家", "other_subdistrict", None),
        ("凤凰社区", "other_subdistrict", None),
        ("我老婆是四川人我们租在黄屋排", "inside", "白花"),
        ("惠州淡水的房子", "outside", None),
        ("广州的医院", "outside", None),
        ("从东莞搬来碧眼", "inside", "碧眼"),
        ("不在翠湖，在碧眼", "inside", "碧眼"),
        ("我不住白花，我住东周", "inside", "东周"),
        ("住光明街道，投诉公明街道的工厂", "other_subdistrict", None),
        ("翠湖社區嘅路燈壞咗，光明區呢邊", "inside", "翠湖"),
        ("碧 眼 社 区", "inside", "碧眼"),
        ("碧眼村委", "inside", "碧眼"),
        ("星河COCO City", "inside", None),
        ("虹桥1958", "inside", None),
        ("香港人来办居住证", "unknown", None),
        ("沙井盖坏了", "unknown", None),
        ("福永", "outside", None),
        ("坪山区", "outside", None),
        ("我公司在南山，住在碧眼社区，楼下烧烤吵", "inside", "碧眼"),
    ],
)
def test_where_a_message_says_it_is(text: str, status: str, community: str | None) -> None:
    location = JURISDICTION.locate(text)
    assert (location.status, location.community) == (status, community)


@pytest.mark.parametrize("name", [name.name for name in JURISDICTION.ambiguous])
def test_an_ambiguous_name_alone_offers_choices(name: str) -> None:
    location = JURISDICTION.locate(f"{name}那边的路灯坏了")
    assert location.status == "ambiguous"
    assert location.words == name
    assert len(location.choices) > 1


@pytest.mark.parametrize("name", ["新围", "红星", "笔架山", "翠湖"])
def test_every_choice_offered_is_clear_by_itself(name: str) -> None:
    for choice in JURISDICTION.locate(name).choices:
        assert JURISDICTION.locate(choice).status in {"inside", "other_subdistrict", "outside"}


def test_outside_names_the_right_body_and_the_hotline() -> None:
    in_city, elsewhere = JURISDICTION.locate("福田区的公园").body, JURISDICTION.locate("东莞塘厦的工厂").body
    assert in_city is not None
    assert elsewhere is not None
    assert "福田区" in in_city
    assert "东莞市" in elsewhere
    assert "12345" in in_city
    assert "12345" in elsewhere


def test_all_thirty_one_communities_are_known_by_their_full_name() -> None:
    communities = [(s.name, c) for s in JURISDICTION.subdistricts for c in s.communities]
    assert len(communities) == 31
    for subdistrict, community in communities:
        location = JURISDICTION.locate(f"{subdistrict}{community}社区")
        assert location.subdistrict == subdistrict
        assert location.status == ("inside" if subdistrict == "光明街道" else "other_subdistrict")


@given(st.sampled_from([place for place in JURISDICTION.places if place.community and place.subdistrict is None]))
def test_a_denied_place_does_not_count(place: object) -> None:
    name = place.name  # type: ignore[attr-defined]
    assert JURISDICTION.locate(f"不是{name}").community is None
    assert JURISDICTION.locate(f"就在{name}").community == place.community  # type: ignore[attr-defined]


@given(st.text(max_size=200))
def test_any_text_can_be_located(text: str) -> None:
    location = JURISDICTION.locate(text)
    assert location.community is None or location.status == "inside"
