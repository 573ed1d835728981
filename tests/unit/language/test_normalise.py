"""What a resident types is matched in one form, and no Mandarin word is damaged on the way."""

from itertools import product
from pathlib import Path

import jieba
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import language
from language.normalise import normalise, simplify_signs, strip_hidden

DIALECT = yaml.safe_load((Path(language.__file__).parent / "dialect.yml").read_text(encoding="utf-8"))
DIALECT_WORDS = sorted(DIALECT["words"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("舊年開咗幾多場招聘會", "去年开了多少场招聘会"),
        ("點解我屋企仲未有煤氣", "为什么我家里还没有煤气"),
        ("補助金喺邊度攞㗎", "补助金在哪里拿的"),
        ("佢哋幾時嚟修街燈呀", "他们什么时候来修路灯呀"),
        ("係咪真係有第五批安置房", "是不是真是有第五批安置房"),
        ("唔該晒,搞掂咗", "谢谢,解决了"),
        ("我係白花嘅街坊", "我是白花的街坊"),
        ("我喺度等咗成日,仲有冇人嚟", "我在这里等了整天,还有没有人来"),
        ("電費係幾多,係邊個部門收", "电费是多少,是哪个部门收"),
        ("𠊎毋知么个时候开门", "我不知什么时候开门"),
        ("㈡Ｂ棟３０２房成日漏水💧💧💧", "(二)b栋302房整天漏水"),
        ("ｗｏ要ｔｏｕｓｕ，楼道灯唔着", "wo要tousu,楼道灯不着"),
        ("噪 音　好　大🙏🏻", "噪音好大"),
        ("樓上個細路成晚跳嚟跳去😭", "楼上个小孩整晚跳来跳去"),
        ("ＧＭ２３０１０１００００００１張單搞掂未", "gm2301010000001张单解决未"),
        ("ＰＭ２．５　降咗幾多？", "pm2.5 降了多少?"),
        ("Ｃ區  3 樓", "c区 3 楼"),
        ("碧 眼 社 区", "碧眼社区"),
        ("白花\n社区", "白花社区"),
        ("招聘\u200b会\ufeff在\u202e哪", "招聘会在哪"),
        ("路灯\u00ad坏了\x07", "路灯坏了"),
        ("漏水😡😡好几天", "漏水好几天"),
        ("  你好  ", "你好"),
        ("", ""),
    ],
)
def test_script_dialect_width_and_hidden_signs_make_no_difference(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "点火率是多少",
        "这有什么关系",
        "转人工",
        "系统打不开,一点反应都没有",
        "我系统地看过报告",
        "稳定系统运行",
        "早晨六点就有噪声",
        "请早点解决,快点办理",
        "几点办公",
        "差一点样品就坏了",
        "六十岁以上年龄的老人",
        "早上年轻人上班",
        "完成日期是哪天",
        "建成个人工作室",
        "旁边个体户占道,路边位置被占",
        "海边度假",
        "有人倾倒垃圾,墙体倾斜",
        "高音喇叭吵得睡不着",
        "环境嘈杂",
        "这是紧要关头",
        "史上前所未有的大雨",
        "最好多派几个人",
        "垃圾分拣站",
        "打听日程",
        "豆腐摊卖老豆腐",
        "他去宜家家居了",
        "今年内地来的人",
        "宁缺毋滥,毋庸置疑",
        "这么个办法,那么个说法,是什么个情况",
        "请仲裁,杜仲有药效",
        "和联系点的关系怎么样",
        "二零二二年安置三百二十一户,张三丰住第十七栋",
        "两千块押金,四十几度,十几二十家",
        "房屋下沉,铁皮屋下面住人",
        "开展“粤菜师傅”工程,建成视频门禁1138套",
    ],
)
def test_mandarin_stays_as_it_is(text: str) -> None:
    assert normalise(text) == text


def test_no_common_word_of_a_mandarin_dictionary_is_changed() -> None:
    jieba.dt.initialize()
    common = [word for word, count in jieba.dt.FREQ.items() if count >= 300 and len(word) > 1 and word.isalpha()]
    # The dictionary holds names in Traditional characters too, and the words of Hong Kong.
    simplified = [word for word in common if word.isascii() or all("一" <= sign <= "鿿" for sign in word)]
    changed = {word for word in simplified if normalise(word) != word.lower() and word not in DIALECT_WORDS}
    assert len(simplified) > 10_000
    assert not {word for word in changed if any(part in word for part in DIALECT_WORDS)}


@given(st.text(max_size=60))
@example("a\u200b\u0301")
@example("İ ẞ ﷺ ㍿ ½")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.lists(st.sampled_from([*DIALECT_WORDS, "乾", "著", "後", "麼", "年", "系", "點", " ", "\u200b"]), max_size=8))
def test_dialect_words_side_by_side_come_to_rest(words: list[str]) -> None:
    once = normalise("".join(words))
    assert normalise(once) == once


def test_every_two_dialect_words_come_to_rest() -> None:
    joined = normalise("。".join(first + second for first, second in product(DIALECT_WORDS, repeat=2)))
    assert normalise(joined) == joined


@pytest.mark.parametrize("word", DIALECT_WORDS)
def test_every_dialect_word_is_understood(word: str) -> None:
    assert normalise(f"「{word}」") == normalise(f"「{DIALECT['words'][word]}」") != f"「{word}」"


@given(st.text(alphabet="白花 社区a\u00ad\u200b\u200d\u202e\u2066\ufe0f\ufeff\x00\x1b\x7f\n", max_size=40))
def test_hidden_signs_are_taken_out_and_nothing_else(text: str) -> None:
    assert strip_hidden(text) == "".join(sign for sign in text if sign in "白花 社区a\n")


@given(st.text(alphabet="陳鍾嘉麗葉後乾著麼裡０１a嘅㗎。 ", max_size=30))
def test_simplifying_sign_for_sign_keeps_every_offset(text: str) -> None:
    simple = simplify_signs(text)
    assert len(simple) == len(text)
    assert all(one == simplify_signs(sign) for one, sign in zip(simple, text, strict=True))
