"""Personal data in a text: phone numbers, identity numbers, and the name a person gives as their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stdnum.cn import ric

_ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z])")
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
    half = text.translate(_HALF_WIDTH)
    found = [
        Personal("id_number", text[m.start() : m.end()], m.start(), m.end())
        for m in _ID_NUMBER.finditer(half)
        if _is_identity_number(m[0])
    ]
    patterns: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("phone", _MOBILE),
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
