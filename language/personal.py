"""Personal data in a text: what a person gives as their own, and everything that must not be kept in a log."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from stdnum.cn import ric

from language.normalise import simplify_signs

_MASKS = Path(__file__).with_name("personal.yml")

_ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z])")
# Read out sign by sign, as voice input writes it.
_SPOKEN_DIGIT = "[零〇洞一幺二两三四五六七八九]"
_SPOKEN_MOBILE = re.compile(f"(?<!{_SPOKEN_DIGIT})([一幺][三四五六七八九]{_SPOKEN_DIGIT}{{9}})(?!{_SPOKEN_DIGIT})")
# Digits of a mobile number may be parted by spaces or dashes as people write them: 138 0013 8000, 138-0013-8000.
_MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d(?:[- ]?\d{4}){2})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3}[- ]?[2-8]\d{6,7})(?!\d)")
_SURNAMES = (
    "欧阳|司徒|上官|诸葛|司马|东方|夏侯|皇甫|尉迟|公孙|慕容|"
    "[赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳"
    "酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧肖尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞"
    "熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱丘骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫经房裘缪干解应宗丁宣邓"
    "郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊甄曲家封芮储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯宓蓬全郗班仰秋仲伊宫宁仇栾"
    "暴甘厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池乔阴胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍"
    "璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧殳沃利"
    "蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰巢关蒯相查后荆红游竺权逯盖益桓公覃]"
)
# What ends a name that is said in the middle of a sentence.
_AFTER_NAME = (
    r"(?=[^\u3400-\u9fff]|$|电话|手机|号码|住|家|的|是|联系|不匿名|女士|先生|小姐|今年|在|我|就|想|要|手提|请)"
)
_NAME_GIVEN = re.compile(
    rf"(?:我(?:的)?(?:名字|姓名)?(?:是叫|叫做|叫|名叫|全名|大名)|(?:姓名|名字|称呼|联系人|诉求人|投诉人)(?:是|叫|为|[:：])?|本人)\s*[:：]?\s*"
    rf"((?:{_SURNAMES})[\u3400-\u9fff]{{1,2}}?){_AFTER_NAME}"
)
_SURNAME_GIVEN = re.compile(
    rf"(?:我|免贵|本人|鄙人)?(?<!百)(?<!同)(?:免贵)?姓\s*[:：]?\s*((?:{_SURNAMES})(?:先生|女士|小姐|生|太太|师傅|阿姨|伯)?)(?![名氏])"
)
_TITLED = re.compile(
    rf"(?:我是|叫我|称呼我|我系|可以叫我|叫)\s*((?:小|老|阿)?(?:{_SURNAMES})(?:先生|女士|小姐|太太|师傅|阿姨|伯|姐|哥|叔|生|工))"
)

# What is masked beyond that. Here a number too many is masked rather than one too few.
_N = "(?:[A-Za-z][0-9]{0,3}|[0-9]{1,4}[A-Za-z]?|[一二三四五六七八九十]{1,3})"
_FLAT = (
    rf"(?:{_N}(?:号楼|[栋幢座]))?(?:{_N}(?:单元|梯))?(?:{_N}[楼层])?"
    rf"(?:[0-9]{{1,4}}[A-Za-z]?(?:号房|号铺|[室房号户])?)?"
)
_MASKED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII)),
    (
        "id_number",
        re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{17}[0-9Xx]|[0-9]{15}|[A-Za-z]{1,2}[0-9]{7,10})(?![0-9A-Za-z])"),
    ),
    (
        "plate",
        re.compile(
            "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-Za-z][·•. -]?"
            "[0-9A-Za-z]{4,5}[0-9A-Za-z挂学警港澳]"
        ),
    ),
    (
        "account",
        re.compile(
            r"(?:微信|薇信|威信|[vV][信xX]|[wW][xX]|[qQ]{2}|扣扣)(?:号码?|[iI][dD])?\s*(?:[是为:：]|加我)?\s*([A-Za-z0-9][-_A-Za-z0-9]{4,19})"
        ),
    ),
    ("card", re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){11,18}(?![0-9])")),
    # Seven to eleven digits that are no date and no amount, and numbers read out sign by sign.
    (
        "phone",
        re.compile(
            r"(?<![0-9.])(?!20[0-9]{2}-[0-9]{1,2}-[0-9])[0-9](?:[ -]?[0-9]){6,10}(?![0-9]|[元万亿个人户套平件次%])"
            "|[零〇一二三四五六七八九幺]{7,}"
        ),
    ),
    (
        "door",
        re.compile(
            rf"(?<![0-9A-Za-z一二三四五六七八九十了建共有盖拆超第这那每几])(?:{_N}(?:号楼|[栋幢座])|{_N}单元){_FLAT}"
            rf"|(?<=[路街巷道里弄坊村围园厦区场])[0-9]+(?:-[0-9]+)?号{_FLAT}"
            r"|(?<![0-9])[0-9]{3,4}[A-Za-z]?(?:号房|号铺|[室房])(?!间)|(?<![0-9-])(?!20[0-9]{2}-)[0-9]{1,3}(?:-[0-9]{1,4}){2}(?![0-9-])"
        ),
    ),
    # Somebody else's: only surnames that begin no other word before an office.
    (
        "name",
        re.compile(
            "[王李张刘陈杨赵黄周吴徐孙胡朱林何郭罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪姜范谭廖邹熊陆郝崔康邱秦侯邵孟龙雷钱汤尹黎常武贺赖龚]"
            "[\u3400-\u9fff]{0,2}?(?:书记|主任|局长|所长|站长|队长|经理|老师|医生|先生|女士|小姐|师傅)"
        ),
    ),
)

# A number that somebody leaves so that they can be called.
_DIALLED = re.compile(r"(?:\+?86)?(?:1[3-9]\d{9}|0\d{9,11})")

Kind = Literal["phone", "name", "id_number"]


@dataclass(frozen=True, slots=True)
class Personal:
    """A piece of personal data and where it stands: `text` is what stands there between `start` and `end`."""

    kind: Kind
    text: str
    start: int
    end: int


def find_personal(text: str) -> list[Personal]:
    """The personal data in `text`, in order, without overlaps.

    Args:
        text: As written; offsets refer to it. Full-width digits count as digits.

    Returns:
        Identity numbers whose check digit holds, mobile and area-code phone numbers, and names a person gives as their
        own.
    """
    half = simplify_signs(text.translate(_HALF_WIDTH))
    found = [
        Personal("id_number", text[m.start() : m.end()], m.start(), m.end())
        for m in _ID_NUMBER.finditer(half)
        if _is_identity_number(m[0])
    ]
    patterns: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("phone", _MOBILE),
        ("phone", _SPOKEN_MOBILE),
        ("phone", _LANDLINE),
        ("name", _NAME_GIVEN),
        ("name", _TITLED),
        ("name", _SURNAME_GIVEN),
    )
    for kind, pattern in patterns:
        for match in pattern.finditer(half):
            start, end = match.span(1)
            if all(end <= other.start or start >= other.end for other in found):
                found.append(Personal(kind, text[start:end], start, end))
    return sorted(found, key=lambda personal: personal.start)


def dialled(phone: str) -> str:
    """A phone number without the spaces and dashes people write, in half-width digits."""
    return re.sub(r"[\s()-]", "", unicodedata.normalize("NFKC", phone))


def is_phone(phone: str) -> bool:
    """Whether somebody can be called there: a mobile number, or one with its area code."""
    return _DIALLED.fullmatch(dialled(phone)) is not None


def mask_personal(text: str) -> str:
    """`text` with everything personal in it replaced by what it is, for texts that are kept and read by others.

    Masked are, besides what `find_personal` finds: identity, passport and card numbers, further phone numbers, plates,
    WeChat and QQ accounts, mail addresses, house and door numbers (the road and the estate stay), and people named with
    their office. A bare name of somebody else is not known as one.
    """
    masks = _masks()
    end = 0
    parts = []
    for start, stop, kind in sorted(_spans(text), key=lambda span: (span[0], -span[1])):
        if start >= end:
            parts += [text[end:start], masks[kind]]
        # What reaches beyond the piece before it is personal too.
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    half = simplify_signs(text.translate(_HALF_WIDTH))
    for personal in find_personal(text):
        yield personal.start, personal.end, personal.kind
    for kind, pattern in _MASKED:
        for match in pattern.finditer(half):
            yield *match.span(match.lastindex or 0), kind


@cache
def _masks() -> dict[str, str]:
    masks: dict[str, str] = yaml.safe_load(_MASKS.read_text(encoding="utf-8"))["masks"]
    return masks


# One sign for one sign, so that offsets stay.
_HALF_WIDTH = {0xFF10 + digit: 0x30 + digit for digit in range(10)} | {
    0xFF38: "X",
    0xFF58: "x",
    0xFF0D: "-",
    0x2014: "-",
}


def _is_identity_number(digits: str) -> bool:
    """Whether the last sign is the check sign of GB 11643."""
    return bool(ric.calc_check_digit(digits) == digits[-1].upper())
