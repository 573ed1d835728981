"""Danger is found in whatever words it comes, and figures of speech are no danger."""

from pathlib import Path

import pytest
import yaml

from jurisdiction import load_jurisdiction
from language.danger import find_danger

JURISDICTION = load_jurisdiction()
MESSAGES = yaml.safe_load(Path(__file__).with_name("danger_messages.yml").read_text(encoding="utf-8"))

EMERGENCIES = {
    "gas": [
        "一进门就闻到好浓的煤气味怎么办",
        "厨房的燃气灶好像在漏气",
        "隔壁家煤汽味好大 敲门没人开",
        "屋企有陣好大嘅煤氣味",
        "灶台边上嘶嘶响 有臭鸡蛋味",
        "挖掘机把燃气管挖断了 一直喷气",
        "天 然 气 泄 漏 了 快 来",
        "那个 就是 嗯 家里 煤气 好像 漏了",
        "媒气罐的阀门关不上一直往外冒",
        "楼道里一股天然气的味道 头有点晕",
        "家里闻到煤气味，怕爆炸",
        "去年装的燃气管，今晚一直漏气",
        "瓦斯味很重 我该打哪个电话",
        "液化气瓶接口滋滋响",
        "冲凉的时候闻到瓦斯味",
        "装修工人把煤气管钻穿了",
        "我家煤气漏了",
        "燃气泄漏打什么电话",
    ],
    "fire": [
        "对面楼着火了快来人",
        "楼下电动车烧起来了浓烟滚滚",
        "三楼窗户往外冒浓烟",
        "仓库起火了里面还有人",
        "楼道里全是烟出不去",
        "火烛呀 嗰棟樓着咗火",
        "厨房油锅着火了咋办",
        "山上树林起火了",
        "充电器自燃了，沙发也烧着了",
        "电箱冒烟还有烧焦味",
        "救火啊！",
        "之前着过一次，现在又着火了",
    ],
    "collapse": [
        "我家楼的天花板塌下来了 压到人",
        "后面的挡土墙要倒了",
        "工地脚手架倒塌了",
        "下雨山体滑坡了 泥土冲到屋边",
        "房子的墙裂了道口子越来越大还在响",
        "围墙倒了压住一个人",
    ],
    "electric": [
        "有人触电了",
        "路灯漏电把小孩电到了",
        "高压线断了掉在积水里",
        "摸水龙头手麻是不是漏电",
        "电线杆上的线在冒火花",
        "工友被电晕了",
    ],
    "violence": [
        "有个男的拿刀在楼下砍人",
        "隔壁男的正在打老婆，女的一直喊救命",
        "我老公又打我了，我好怕",
        "有人持刀闯进店里",
        "楼下打群架",
        "有人跟踪我，一直跟到楼下",
        "他掐我脖子说要杀了我",
        "被老板关在屋里不让走",
        "前男友在踹门威胁要弄死我",
        "邻居拿棍子打我",
    ],
    "missing": [
        "我妈走丢了，她有老年痴呆",
        "五岁的小孩在公园不见了",
        "孩子放学到现在没回家，联系不上",
        "老人走失一天了",
        "我女儿离家出走了",
        "细路仔唔見咗，喺翠湖公園",
    ],
    "medical": [
        "我爸晕倒了叫不醒",
        "有人倒在路边没反应了",
        "工友从脚手架上摔下来流了好多血",
        "老人突然胸口疼喘不上气",
        "孩子误食了老鼠药",
        "我老婆羊水破了",
        "阿婆昏咗過去，冇反應",
        "高空掉下来的砖砸到人了，满头是血",
        "他口吐白沫一直抽搐",
        "小孩吃糖噎住了脸色发紫",
    ],
    "drowning": ["有小孩掉进河里了", "水库那边有人溺水", "有人掉到化粪池里面了", "老人跌落水塘"],
    "trapped": [
        "我被困在电梯里了",
        "电梯卡住了，里面有人",
        "孩子被反锁在屋里，锅还在煮",
        "工人的手卷进机器里了",
        "有个小孩爬到窗外防盗网挂在那里",
        "宝宝被锁在车里了",
    ],
    "co": ["洗澡的时候头晕恶心，热水器在屋里", "一氧化碳中毒了", "屋里烧炭取暖，两个人叫不醒", "疑似煤气中毒"],
    "traffic": [
        "路口发生车祸有人受伤",
        "刚才一辆泥头车撞倒了一个老人",
        "我被电动车撞了腿动不了",
        "两车相撞，司机被困，快来救人",
    ],
    "explosion": ["楼下煤气罐爆炸了", "充电宝炸了，烧到窗帘", "有人放了炸弹在商场", "听到砰的一声巨响，玻璃都碎了"],
}
CRISES = [
    "我不想活了",
    "活着真没意思",
    "死了算了",
    "撑不下去了，想一了百了",
    "我已经写好遗书了",
    "我在天台上，准备跳下去",
    "我吞了一瓶安眠药",
    "刚割腕了，好多血",
    "我朋友说她想轻生，我该怎么劝她",
    "我老公想不开要跳楼",
    "再不解决我就死给你们看",
    "拆迁款不给，我就从你们楼上跳下去",
    "唔想活喇，生無可戀",
    "孩子抑郁，总是自残",
    "真的好累，不如死了更好",
    "不如死咗佢算",
    "我走了以后，请照顾好我的孩子",
    "买了农药放在家里",
    "我想从这个世界上消失",
    "活够了，没有人在乎我",
    "每天都想去死",
    "这样的日子生不如死",
    "没人会在意我了 想要解脱",
    "她站在楼顶不下来",
    "活 着 没 意 思",
]
HARMLESS = [
    "气死我了，物业根本不管事",
    "吵死人了，晚上没法睡",
    "热死了，空调坏了没人修",
    "我快疯了，天天施工",
    "楼下开了家火锅店，味道很大",
    "跳楼价清仓的喇叭吵死了",
    "烧烤店的油烟熏死人",
    "摩托车半夜炸街",
    "小区什么时候搞消防演习",
    "上个月隔壁楼着过火，已经扑灭了，想问怎么赔",
    "家里没有煤气味，就是打不着火",
    "不是漏气，是想开通管道燃气",
    "去年一共发生多少起火灾",
    "街道的火灾隐患整治计划在哪里看",
    "城中村管道天然气点火率是多少",
    "楼梯底下堆了很多煤气罐，太危险了",
    "有人在楼道给电动车充电",
    "消防通道被车堵死了",
    "建议社区组织一次燃气安全演练",
    "阀门关了 人在楼下 燃气公司也来了",
    "阀门已经关了，人都在楼下，燃气公司的师傅也到了，想登记一下",
    "车胎漏气了哪里能补",
    "什么时候通天然气",
    "我的钱包丢了，在哪里可以挂失",
    "我家狗走丢了，能帮忙找吗",
    "老板跑路了联系不上，工资没发",
    "电梯经常坏，担心被困",
    "这个路口容易出车祸，希望装红绿灯",
    "外墙瓷砖脱落，怕砸到人",
    "打人工客服电话打不通",
    "想死你了宝贝",
    "网络卡死了",
    "反映了好几次都没反应",
    "工厂冒黑烟，污染空气",
    "被噪音困扰很久了",
    "高龄老人去世后补贴怎么办",
    "怕电线老化着火，希望换线",
    "手机掉水里了",
    "电动车上楼充电容易爆炸",
    "生活压力大，找不到工作",
    "房租太贵，压得喘不过气",
    "防溺水宣传什么时候开展",
    "煤气费怎么交",
    "燃气公司打电话说要上门检查",
    "我母亲中风后遗症，想申请残疾证",
    "城管打人，我要投诉，要求严肃处理",
    "绿化带的树快死了没人浇水",
    "抢修队什么时候来",
    "下水道堵了，臭味很大",
    "如果家里着火，社区有没有微型消防站",
    "垃圾桶味道很大",
    "没有闻到煤气味了，谢谢",
]


@pytest.mark.parametrize("text", [text for texts in EMERGENCIES.values() for text in texts])
def test_an_emergency_is_found(text: str) -> None:
    danger = find_danger(text, JURISDICTION)
    assert danger is not None
    assert danger.kind == "emergency"


@pytest.mark.parametrize(
    ("name", "text"), [(name, texts[0]) for name, texts in EMERGENCIES.items()] + [("gas", EMERGENCIES["gas"][3])]
)
def test_the_plainest_words_of_a_danger_give_its_own_advice(name: str, text: str) -> None:
    danger = find_danger(text, JURISDICTION)
    assert danger is not None
    assert danger.name == name


@pytest.mark.parametrize("text", CRISES)
def test_a_person_at_risk_of_harming_themselves_is_found(text: str) -> None:
    danger = find_danger(text, JURISDICTION)
    assert danger is not None
    assert danger.kind == "crisis"
    assert danger.phones[0] == "12356"


@pytest.mark.parametrize("text", HARMLESS)
def test_sayings_old_events_and_hazards_are_no_danger(text: str) -> None:
    assert find_danger(text, JURISDICTION) is None


def test_gas_advice_comes_before_the_number_and_names_it() -> None:
    danger = find_danger("厨房漏煤气了", JURISDICTION)
    assert danger is not None
    assert danger.phones[0] == "0755-25199999"
    steps = [danger.advice.index(word) for word in ("总阀", "门窗", "不要点火", "0755-25199999")]
    assert steps == sorted(steps)


def test_every_number_an_advice_names_is_among_its_phones() -> None:
    for rule in JURISDICTION.danger.kinds:
        for phone in rule.phones:
            assert JURISDICTION.phones[phone].number in rule.advice


def test_a_danger_far_down_a_long_message_is_found() -> None:
    assert find_danger("物业费的事情说来话长。" * 150 + "厨房现在有很浓的煤气味", JURISDICTION) is not None


@pytest.mark.parametrize("text", MESSAGES["danger"])
def test_danger_is_found_in_many_wordings(text: str) -> None:
    assert find_danger(text, JURISDICTION) is not None


@pytest.mark.parametrize("text", MESSAGES["harmless"])
def test_what_only_sounds_like_danger_is_none(text: str) -> None:
    assert find_danger(text, JURISDICTION) is None
