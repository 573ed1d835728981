"""The rules of routing, each with residents' words of its own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jurisdiction import load_jurisdiction
from petitions.triage import Route, is_category, taxonomy, triage

JURISDICTION = load_jurisdiction()
ANY = "*"


def route(text: str) -> Route:
    return triage(text, JURISDICTION)


@pytest.mark.parametrize(
    ("text", "class_", "level", "office", "community", "priority", "flags", "legal_path", "category"),
    [
        ("碧眼社区楼下垃圾堆了一个星期没人清", "投诉", "N", "-", "碧眼", "normal", "", "", "环境卫生"),
        ("白花富民花园楼上装修周末一大早就电钻声吵得睡不着", "投诉", "N", "-", "白花", "normal", "", "", "噪音污染"),
        ("木墩村楼上卫生间漏水到我家", "*", "N", "-", "东周", "normal", "", "", "修缮装修"),
        ("我们小区物业收费乱涨价", "投诉", "6", "待定社区", "-", "normal", "", "", "物业服务"),
        ("老板欠我两个月工资不给", "投诉", "6", "劳动管理办", "-", "normal", "", "", "工资发放"),
        (
            "我们二十多个工友的工资被包工头拖了半年",
            "投诉",
            "6",
            "劳动管理办",
            "-",
            "urgent",
            "collective",
            "",
            "工资发放",
        ),
        ("迳口社区有户人家养了十几只鸭子，味道大", "投诉", "N", "-", "迳口", "normal", "", "", "*"),
        ("我妈户口在光明社区，想申请护理补贴找谁", "求助", "6", "公共服务办", "光明", "normal", "", "", "福利事业"),
        ("光明大道路口红绿灯坏了", "*", "1", "*", "-", "normal", "", "", "交通安全管理"),
        ("派出所办案不公偏袒对方", "检举控告", "1", "-", "-", "normal", "", "", "警务执法"),
        ("工伤认定做了，公司不认", "投诉", "6", "劳动管理办", "-", "normal", "", "", "职工工伤保险"),
        ("我们十八个人的工钱没着落，想一起去讨", "*", "6", "劳动管理办", "-", "urgent", "collective", "", "工资发放"),
        ("超市卖过期牛奶还不认账", "*", "1", "*", "-", "normal", "", "", "*"),
        ("小孩疫苗本丢了怎么办", "*", "1", "*", "-", "normal", "", "", "*"),
        ("厂里不给高温补贴", "*", "6", "劳动管理办", "-", "normal", "", "", "工资发放"),
        ("老板拖欠我四个月工资", "投诉", "6", "劳动管理办", "-", "urgent", "", "", "工资发放"),
        ("碧眼新村楼顶有人违建加盖铁皮房", "举报", "6", "综合行政执法办", "碧眼", "normal", "", "", "违章建筑"),
        ("光明大街晚上摆摊占道严重", "投诉", "6", "综合行政执法办", "-", "normal", "", "", "城管执法"),
        ("迳口工地半夜打桩吵得睡不着", "投诉", "6", "综合行政执法办", "迳口", "normal", "", "", "噪音污染"),
        ("白花洞楼下烧烤店的油烟熏得人没法开窗", "投诉", "6", "综合行政执法办", "白花", "normal", "", "", "大气污染"),
        ("城中村管道天然气什么时候能通", "咨询", "6", "城市建设办", "-", "normal", "", "", "燃气供应"),
        ("路灯坏了好多天，东周华夏路", "*", "6", "城市建设办", "东周", "normal", "", "", "城市公共设施"),
        ("一下雨门口就积水，下水道堵了", "投诉", "6", "城市建设办", "-", "normal", "", "", "基础设施"),
        ("安置房什么时候能分，签了协议五年了", "*", "6", "土地整备中心", "-", "normal", "", "", "回迁房"),
        ("过渡费停发了半年", "*", "6", "土地整备中心", "-", "*", "", "", "安置补偿"),
        ("低保怎么申请需要什么材料", "咨询", "6", "公共服务办", "-", "normal", "", "", "城镇低保"),
        ("高龄津贴怎么领", "咨询", "6", "公共服务办", "-", "normal", "", "", "福利事业"),
        ("残疾人护理补贴被停发了", "*", "6", "公共服务办", "-", "normal", "", "", "福利事业"),
        ("最近有招聘会吗", "咨询", "6", "公共服务办", "-", "normal", "", "", "就业和再就业"),
        ("一楼楼梯下面堆满煤气罐", "*", "6", "应急管理办", "-", "urgent", "", "", "安全隐患"),
        ("消防通道被杂物堵死了", "投诉", "6", "应急管理办", "-", "urgent", "", "", "消防安全"),
        ("有人把电动车推上楼在家充电", "*", "6", "应急管理办", "-", "urgent", "", "", "安全隐患"),
        ("居住登记怎么办理", "咨询", "6", "网格管理中心", "-", "normal", "", "", "流动人口管理"),
        ("房东不退押金", "投诉", "6", "网格管理中心", "-", "normal", "", "", "房屋租赁"),
        ("想申请法律援助", "求助", "6", "平安法治办", "-", "normal", "", "", "法律援助"),
        ("孩子上小学学位没批下来", "*", "1", "光明区教育局", "-", "normal", "", "", "招生录取"),
        ("医院看病乱收费", "投诉", "1", "光明区卫生健康局", "-", "normal", "", "", "医疗机构管理"),
        ("医保报销怎么弄", "咨询", "1", "光明区医疗保障局", "-", "normal", "", "", "城镇居民医疗保险"),
        ("社保断缴怎么补缴", "咨询", "1", "*", "-", "normal", "", "", "职工养老保险"),
        ("公交车半个小时都不来一班", "投诉", "1", "*", "-", "normal", "", "", "公共汽车"),
        ("路口没有红绿灯很危险", "*", "1", "*", "-", "normal", "", "", "交通安全管理"),
        ("对面地块规划是什么", "咨询", "1", "*", "-", "normal", "", "", "规划方案"),
        ("开发商延期交房", "投诉", "1", "*", "-", "normal", "", "", "房地产开发管理"),
        ("饭店不开发票偷税", "举报", "1", "*", "-", "normal", "", "", "税收征管"),
        ("健身房关门不退款", "投诉", "1", "*", "-", "normal", "", "", "商品质量"),
        ("教师招聘不公平", "*", "1", "光明区教育局", "-", "normal", "", "", "师资力量"),
        ("电动车被偷了报警没结果", "*", "1", "*", "-", "normal", "", "", "治安案件"),
        ("自来水发黄", "投诉", "6", "城市建设办", "-", "normal", "", "", "自来水供应"),
        ("社区书记收了好处费把工程给亲戚做", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("白花股份合作公司董事长私分集体资产", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("派出所民警动手打人", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("碧眼社区工作站站长收红包", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("法院判我输了我不服判决", "*", "6", "*", "-", "normal", "legal_path", "诉讼", "*"),
        ("劳动仲裁已经裁决了公司不执行", "*", "6", "*", "-", "*", "legal_path", "仲裁", "*"),
        ("要求撤销对我的罚款决定", "*", "6", "*", "-", "normal", "legal_path", "行政复议", "*"),
        ("不服停发低保的书面决定", "*", "6", "*", "-", "normal", "legal_path", "行政复议", "*"),
        ("低保突然停了", "*", "6", "公共服务办", "-", "normal", "", "", "城镇低保"),
        ("碧眼社区窗口工作人员态度很差", "投诉", "N", "党政综合办", "碧眼", "normal", "", "", "作风建设"),
        ("街道大厅的工作人员很热情，特别感谢", "表扬", "6", "党政综合办", "-", "normal", "", "", "*"),
        ("表扬白花社区网格员帮我搬家", "表扬", "N", "党政综合办", "白花", "normal", "", "", "*"),
        ("建议东周社区多设几个垃圾分类点", "建议", "N", "党政综合办", "东周", "normal", "", "", "环境卫生"),
        (
            "上次投诉工地噪音已经办结了，没几天又开始半夜施工",
            "投诉",
            "6",
            "综合行政执法办",
            "-",
            "normal",
            "repeat",
            "",
            "噪音污染",
        ),
        ("打了五次电话一直没人回复，物业不管楼道灯，碧眼", "投诉", "N", "-", "碧眼", "normal", "", "", "物业服务"),
        (
            "我们五户人家一起反映楼下广场舞吵，迳口",
            "投诉",
            "6",
            "平安法治办",
            "迳口",
            "normal",
            "collective",
            "",
            "噪音污染",
        ),
        ("我家五口人没地方停车，白花", "*", "N", "-", "白花", "normal", "", "", "小区管理"),
        ("翠湖公园旁边清怡小区电梯老坏", "投诉", "N", "-", "翠湖", "normal", "", "", "特种设备管理"),
        ("光明社区开居住证明要什么材料", "咨询", "N", "-", "光明", "normal", "", "", "社区建设"),
        ("东周楼道扶手坏了请维修", "求助", "N", "-", "东周", "normal", "", "", "居民服务设施"),
        ("迳口大树树枝挡光", "*", "N", "-", "迳口", "normal", "", "", "园林绿化"),
        ("独居老人家里停水三天了", "*", "6", "城市建设办", "-", "urgent", "", "", "自来水供应"),
        ("公明上村的路坑坑洼洼", "*", "6", "-", "-", "normal", "", "", "城市公共设施"),
        ("福田区的路灯坏了", "*", "none", "-", "-", "normal", "", "", "城市公共设施"),
        ("家里有很浓的煤气味", "*", "6", "城市建设办", "-", "emergency", "", "", "燃气供应"),
        ("着火了碧眼新村", "*", "6", "应急管理办", "碧眼", "emergency", "", "", "消防安全"),
        ("邻居把鞋柜放过道说了不听 白花", "*", "N", "-", "白花", "normal", "", "", "司法调解"),
        ("社区调解了好几次都没用，邻居还是霸占走廊", "*", "6", "平安法治办", "-", "normal", "", "", "*"),
        ("安置小区晚上有人放音响太吵", "投诉", "6", "待定社区", "-", "normal", "", "", "噪音污染"),
        ("小区车乱停堵住门口 碧眼", "投诉", "N", "-", "碧眼", "normal", "", "", "小区管理"),
        ("泥头车晚上偷倒渣土", "举报", "6", "综合行政执法办", "-", "normal", "", "", "固体污染"),
        ("外墙瓷砖脱落很危险，碧眼", "*", "6", "应急管理办", "碧眼", "urgent", "", "", "安全隐患"),
        ("工伤老板不赔", "*", "6", "劳动管理办", "-", "normal", "", "", "职工工伤保险"),
        ("有人无证卖假药", "举报", "1", "*", "-", "normal", "", "", "食品安全"),
        ("手机没信号", "*", "6", "党政综合办", "-", "normal", "", "", "通信保障"),
        ("天天有人在楼下跳广场舞，迳口，吵", "投诉", "N", "-", "迳口", "normal", "", "", "噪音污染"),
        ("俺们村头那条水泥路烂得不成样子，碧眼的", "*", "6", "城市建设办", "碧眼", "normal", "", "", "城市公共设施"),
        (
            "楼下老王面馆排烟口正对着我家窗户，油味很大，白花裕民花园",
            "投诉",
            "6",
            "综合行政执法办",
            "白花",
            "normal",
            "",
            "",
            "大气污染",
        ),
        ("请问60岁以上老人有什么补贴可以领", "咨询", "6", "公共服务办", "-", "normal", "", "", "*"),
        (
            "老板跑了，我们三十几个人的工钱都没拿到",
            "投诉",
            "6",
            "劳动管理办",
            "-",
            "urgent",
            "collective",
            "",
            "工资发放",
        ),
        ("公司无故把我辞退，一分钱补偿都没有", "投诉", "6", "劳动管理办", "-", "normal", "", "", "劳动合同纠纷"),
        ("在工地干活摔断腿，老板不出医药费", "*", "6", "劳动管理办", "-", "*", "", "", "职工工伤保险"),
        (
            "对面楼一天到晚放音乐跳舞，吵到孩子没法写作业，东周星河天地",
            "投诉",
            "N",
            "-",
            "东周",
            "normal",
            "",
            "",
            "噪音污染",
        ),
        (
            "隔壁店铺把桌椅摆到人行道上，老人走路都要走马路",
            "投诉",
            "6",
            "综合行政执法办",
            "-",
            "normal",
            "",
            "",
            "城管执法",
        ),
        ("我家天花板一直滴水，楼上不肯修，和润家园", "*", "N", "-", "光明", "normal", "", "", "修缮装修"),
        (
            "翠湖社区垃圾分类点太远了，建议多设两个，光明区的",
            "建议",
            "N",
            "党政综合办",
            "翠湖",
            "normal",
            "",
            "",
            "环境卫生",
        ),
        ("小孩明年读一年级，不知道怎么报名", "咨询", "1", "光明区教育局", "-", "normal", "", "", "招生录取"),
        ("社康打疫苗要排很久", "*", "1", "光明区卫生健康局", "-", "normal", "", "", "*"),
        ("地铁站出口到我们小区没有公交接驳", "*", "1", "*", "-", "normal", "", "", "公共汽车"),
        ("拆迁补偿协议签了两年钱没到账", "*", "6", "土地整备中心", "-", "*", "", "", "安置补偿"),
        ("什么时候可以选房", "咨询", "6", "土地整备中心", "-", "normal", "", "", "回迁房"),
        ("安置小区物业费太贵", "投诉", "6", "待定社区", "-", "normal", "", "", "物业服务"),
        ("村干部把低保名额都给了自己亲戚", "检举控告", "1", "-", "-", "normal", "", "", "以权谋私"),
        ("城管收了摊贩的钱就不管", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("街道办某主任滥用职权批违建", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("碧眼社区干部吃拿卡要", "检举控告", "1", "-", "-", "normal", "", "", "*"),
        ("警察办案时打了我还不立案", "检举控告", "1", "-", "-", "*", "", "", "警务执法"),
        ("社区主任很负责，帮我们修好了路灯，点个赞", "表扬", "*", "党政综合办", "-", "normal", "", "", "*"),
        ("窗口办事员爱理不理，一问三不知", "投诉", "6", "党政综合办", "-", "normal", "", "", "作风建设"),
        ("我对法院一审判决不服", "*", "6", "*", "-", "normal", "legal_path", "诉讼", "*"),
        ("正在打官司，请街道帮忙让法院改判", "*", "6", "*", "-", "normal", "legal_path", "诉讼", "*"),
        ("城管罚了我两千块，我不认，要求取消处罚", "*", "6", "*", "-", "normal", "legal_path", "行政复议", "*"),
        ("营业执照被吊销我不服", "*", "6", "*", "-", "normal", "legal_path", "行政复议", "*"),
        (
            "已经申请劳动仲裁了还没开庭，老板还欠工资",
            "*",
            "6",
            "劳动管理办",
            "-",
            "normal",
            "legal_path",
            "仲裁",
            "工资发放",
        ),
        ("公司欠薪，我能不能申请劳动仲裁", "*", "6", "劳动管理办", "-", "normal", "", "", "工资发放"),
        (
            "我们这栋28户业主都要求换物业，白花恒祥花园",
            "*",
            "6",
            "平安法治办",
            "白花",
            "normal",
            "collective",
            "",
            "物业服务",
        ),
        (
            "上个月反映的违停整改过，现在又停满了，迳口旧村",
            "*",
            "6",
            "党政综合办",
            "迳口",
            "normal",
            "repeat",
            "",
            "小区管理",
        ),
        ("充电桩不够，好多人拉线从楼上下来充电，碧眼", "*", "6", "应急管理办", "碧眼", "urgent", "", "", "安全隐患"),
        ("二楼仓库里面住着人还堆满货", "*", "6", "应急管理办", "-", "urgent", "", "", "*"),
        ("瘫痪在床的老人家里断电两天了", "*", "6", "城市建设办", "-", "urgent", "", "", "电力供应"),
        ("我失业三个月了想找份工作", "*", "6", "公共服务办", "-", "normal", "", "", "就业和再就业"),
        ("想学电工有没有免费培训班", "咨询", "6", "公共服务办", "-", "normal", "", "", "职业培训"),
        ("出租屋二房东要涨租还要赶我们走", "投诉", "6", "网格管理中心", "-", "normal", "", "", "房屋租赁"),
        ("小区门口一群流浪狗追人，东周", "投诉", "N", "-", "东周", "normal", "", "", "城管执法"),
        (
            "电梯一个月坏三次，高层老人没法下楼，翠湖清怡小区",
            "投诉",
            "N",
            "-",
            "翠湖",
            "normal",
            "",
            "",
            "特种设备管理",
        ),
        ("办准生证要去哪个窗口", "咨询", "6", "公共服务办", "-", "normal", "", "", "计划生育服务管理"),
        ("超市卖过期牛奶", "举报", "1", "*", "-", "normal", "", "", "食品安全"),
        ("培训机构跑路了学费不退", "投诉", "1", "*", "-", "normal", "", "", "商品质量"),
        ("邻居装修砸承重墙，碧眼", "*", "*", "*", "碧眼", "*", "", "", "*"),
        ("我想问下居住证怎么续", "咨询", "6", "网格管理中心", "-", "normal", "", "", "流动人口管理"),
        ("楼栋没人打扫，过道全是灰，物业也不来", "投诉", "6", "待定社区", "-", "normal", "", "", "*"),
        ("垃圾车每天凌晨四点收垃圾吵醒全家，光明社区", "投诉", "*", "*", "光明", "normal", "", "", "*"),
        ("水管爆了水流了一路", "*", "6", "城市建设办", "-", "normal", "", "", "自来水供应"),
        ("楼下污水井冒水臭气冲天，白花新围", "投诉", "6", "城市建设办", "白花", "normal", "", "", "基础设施"),
        ("唔该问下高龄津贴几时发", "咨询", "6", "公共服务办", "-", "normal", "", "", "福利事业"),
        ("樓上成晚嘈到瞓唔着，碧眼", "投诉", "N", "-", "碧眼", "normal", "", "", "噪音污染"),
        ("路邊成日有人擺檔阻住行人路", "投诉", "6", "综合行政执法办", "-", "normal", "", "", "城管执法"),
        ("老闆拖糧兩個月", "投诉", "6", "劳动管理办", "-", "normal", "", "", "工资发放"),
        ("公明合水口的工厂排废气", "*", "6", "-", "-", "normal", "", "", "大气污染"),
        ("新湖楼村的安置房什么时候分", "*", "6", "-", "-", "normal", "", "", "回迁房"),
        ("东莞老家的社保", "*", "*", "*", "-", "normal", "", "", "*"),
        ("股份公司不公开账目，分红多少都不知道", "*", "6", "党政综合办", "-", "normal", "", "", "集体资产管理"),
        ("对门鞋柜占过道，碧眼", "*", "N", "-", "碧眼", "normal", "", "", "*"),
        ("开个亲属关系证明需要带什么，白花", "咨询", "N", "-", "白花", "normal", "", "", "社区建设"),
        ("公厕没水又脏，光明大街", "投诉", "6", "*", "-", "normal", "", "", "*"),
        ("路口老是堵车，能不能加个红绿灯", "建议", "1", "*", "-", "normal", "", "", "交通安全管理"),
    ],
)
def test_a_message_is_routed_by_the_rules(
    text: str,
    class_: str,
    level: str,
    office: str,
    community: str,
    priority: str,
    flags: str,
    legal_path: str,
    category: str,
) -> None:
    found = route(text)
    got = (
        found.class_,
        found.level,
        found.office or "-",
        found.community or "-",
        found.priority,
        ",".join(found.flags),
        found.legal_path or "",
        found.category[2],
    )
    wanted = (class_, level, office, community, priority, flags, legal_path, category)
    assert [g for g, w in zip(got, wanted, strict=True) if w != ANY] == [w for w in wanted if w != ANY]


# ---- the settled questions of routing, one by one


def test_property_management_is_the_stations_until_it_is_collective_or_repeated() -> None:
    single = route("碧眼社区的物业收了钱不打扫")
    together = route("碧眼社区几十户业主联名投诉物业收了钱不管事")
    again = route("碧眼社区物业的事上次办结了，现在又不管了")
    assert (single.level, single.office) == ("N", None)
    assert (together.level, together.office, together.flags) == ("6", "平安法治办", ("collective",))
    assert (again.level, again.office, again.flags) == ("6", "平安法治办", ("repeat",))


def test_praise_and_manner_stay_with_the_hall_but_misconduct_is_an_accusation() -> None:
    praise, manner = route("感谢碧眼社区工作人员耐心帮忙"), route("街道大厅窗口的人态度恶劣爱理不理")
    misconduct = route("街道大厅窗口人员收红包才办事")
    assert (praise.class_, praise.level, praise.office) == ("表扬", "N", "党政综合办")
    assert (manner.class_, manner.level, manner.office) == ("投诉", "6", "党政综合办")
    assert (misconduct.class_, misconduct.level, misconduct.office) == ("检举控告", "1", None)


@pytest.mark.parametrize(
    ("text", "is_collective"),
    [
        ("我们四户人家反映楼道太脏", False),
        ("我们五户人家反映楼道太脏", True),
        ("我们12户居民反映楼道太脏", True),
        ("我家六口人，楼道太脏", False),
        ("整栋楼的住户都说楼道太脏", True),
        ("我们一家人都觉得楼道太脏", False),
    ],
)
def test_five_together_counts_households_and_not_one_family(text: str, is_collective: bool) -> None:
    assert ("collective" in route(text).flags) is is_collective


@pytest.mark.parametrize(
    ("text", "is_repeat"),
    [
        ("去年投诉过，办结了，现在又开始半夜施工", True),
        ("打了好几次12345都没人回复，还在半夜施工", False),
        ("上个月处理好了，没几天又占道摆摊", True),
    ],
)
def test_again_means_a_closed_matter(text: str, is_repeat: bool) -> None:
    assert ("repeat" in route(text).flags) is is_repeat


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("厂里欠我一个月工资没发", "normal"),
        ("厂里欠我三个月工资没发", "normal"),
        ("厂里欠我五个月工资没发", "urgent"),
        ("包工头拖欠我们八个工人的工资", "urgent"),
    ],
)
def test_wages_hurry_for_several_people_or_more_than_three_months(text: str, priority: str) -> None:
    assert route(text).priority == priority


def test_a_stopped_benefit_is_an_office_matter_but_overturning_a_decision_is_a_legal_path() -> None:
    stopped, decision = route("我的高龄津贴上个月停发了"), route("我收到停发津贴的决定书，要求撤销这个决定")
    assert (stopped.level, stopped.office, stopped.legal_path) == ("6", "公共服务办", None)
    assert (decision.level, decision.legal_path, decision.flags) == ("6", "行政复议", ("legal_path",))


@pytest.mark.parametrize(
    "who", ["股份合作公司董事长", "社区书记", "居委会主任", "村干部", "街道办主任", "城管队员", "派出所所长"]
)
def test_officials_communities_and_collective_companies_are_accused_at_the_district(who: str) -> None:
    accused = route(f"举报碧眼{who}贪污集体的钱")
    assert (accused.class_, accused.level, accused.office, accused.community) == ("检举控告", "1", None, None)
    assert accused.unit == "光明区群众诉求服务大厅"
    assert accused.is_restricted
    assert "碧眼" not in (accused.unit or "")


@pytest.mark.parametrize(
    ("text", "department"),
    [
        ("教师招聘面试不公布成绩", "教育局"),
        ("社保断了两个月怎么补缴", "社会保险"),
        ("医保在外地住院怎么报销", "医疗保障局"),
        ("网购的商家不退款", "市场监督"),
        ("电动车被偷报警了没下文", "公安局"),
    ],
)
def test_what_only_a_department_can_do_goes_to_the_district_with_its_name(text: str, department: str) -> None:
    found = route(text)
    assert found.level == "1"
    assert department in (found.office or "")


def test_water_supply_is_an_office_matter() -> None:
    assert (route("自来水压力太小").level, route("自来水压力太小").office) == ("6", "城市建设办")


@pytest.mark.parametrize("name", ["红星", "笔架山", "新围", "翠湖", "光明"])
def test_an_ambiguous_place_gives_no_community(name: str) -> None:
    found = route(f"{name}的垃圾没人清")
    assert (found.level, found.community, found.office) == ("6", None, "待定社区")


def test_outside_the_district_has_no_unit_and_names_the_right_body() -> None:
    found = route("龙华区民治的工地半夜施工")
    assert (found.level, found.unit, found.office, found.community) == ("none", None, None, None)
    assert any("龙华区" in reason and "12345" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("text", "is_accusation"),
    [
        ("执法队暴力执法打伤我爸", True),
        ("村委把集体土地低价租给自己弟弟", True),
        ("碧眼社区书记黄某，多次收受老板的红包", True),
        ("派出所民警让我找社区，邻居打了我", False),
        ("包工头收了钱跑了，劳动站工作人员叫我登记", False),
        ("尊敬的书记您好，老板拖欠工资还威胁我", False),
        ("物业工作人员收钱不办事", False),
        ("居委会主任态度差", False),
    ],
)
def test_only_misconduct_of_officials_is_an_accusation(text: str, is_accusation: bool) -> None:
    assert (route(text).class_ == "检举控告") is is_accusation


# ---- the shape of a route


def test_the_json_is_the_object_of_the_contract() -> None:
    found = route("碧眼社区楼上漏水").to_json()
    assert set(found) == {
        "class",
        "category",
        "level",
        "unit",
        "office",
        "community",
        "priority",
        "flags",
        "legal_path",
        "reasons",
        "alternatives",
    }
    assert any("漏水" in reason for reason in found["reasons"])


def test_the_runner_up_is_named_with_its_score() -> None:
    second, *_ = route("小区停车乱，物业也不管").alternatives
    assert second["category"][0] == "城乡建设"
    assert second["score"] > 0


@pytest.mark.parametrize("matter", JURISDICTION.matters, ids=lambda matter: matter.id)
def test_every_matter_has_a_known_category_and_knows_its_own_examples(matter: object) -> None:
    assert is_category(matter.category)  # type: ignore[attr-defined]
    assert [route(example).matter for example in matter.examples] == [matter.id] * len(matter.examples)  # type: ignore[attr-defined]


def test_every_category_of_an_accusation_is_in_the_national_list() -> None:
    assert all(is_category(kind.category) for kind in JURISDICTION.routing.accusation_categories)


def test_the_national_list_has_its_known_size() -> None:
    assert len(taxonomy()) == 15
    assert sum(len(second) for second in taxonomy().values()) == 118


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_any_text_gets_a_route_with_reasons(text: str) -> None:
    found = route(text)
    assert found.reasons
    assert (found.unit is None) == (found.level == "none")
