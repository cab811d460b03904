"""A labelled corpus for the gate: columns that identify people, and columns that look a little like them.

All of it is made up here from declared lists and one seed; no column comes from records of patients. A column is
a header, the column of the schema it is mapped to, and its values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

import phonenumbers

SEED = 20261126


class LabelledColumn(NamedTuple):
    """A column with what it is: ``kind`` names the sort of identifier, or of harmless content."""

    kind: str
    header: str
    name: str
    values: list[str]


IDENTIFYING_HEADERS = {
    "name": """
        Name|patient name|Patient_Name|FIRSTNAME|lastName|surname|Full Name|pt_name|PatName|family name|maiden name
        initials|Physio name|Therapist_Name|name of therapist|Clinic patient name|next of kin|Emergency contact|guardian
        Nachname|Vorname|Patientenname|Name des Patienten|Familienname|Geburtsname|Therapeutenname|Notfallkontakt
        nombre|Nombre del paciente|apellidos|primer apellido|nombre del terapeuta|contacto de emergencia|iniciales
        nom|Nom de famille|prénom|Prénoms|nom du patient|nom du thérapeute|contact d'urgence|personne à prévenir
        姓名|病人姓名|患者姓名|名字|姓|治療師姓名|治疗师姓名|緊急聯絡人|紧急联系人|家屬|聯絡人
        氏名|患者氏名|お名前|名前|フリガナ|担当者名|療法士名|緊急連絡先
        Ｎａｍｅ|na\u200bme|PATIENT\u00a0NAME|name_2|Name1""",
    "birth": """
        DOB|date of birth|birth_date|birthDate|Birth year|BIRTHDAY|born|place of birth|d.o.b. (dob)
        Geburtsdatum|Geburtstag|Geburtsjahr|geboren am|Geb.-Datum GebDatum|fecha de nacimiento|F. nacimiento|fecha_nac
        date de naissance|naissance|année de naissance|生日|出生日期|出生年月日|出生年|生年月日|誕生日""",
    "number": """
        SSN|social security no|NHS number|NHS_no|passport|Passport No.|national id|ID card|identity number|NINO|Medicare ID
        driver's licence|drivers license no|insurance no|Insurance_ID|policy number|account number|IBAN|credit card|bank account
        number plate|license plate|VIN|health card number|MBI
        Reisepass|Personalausweis|Ausweisnummer|Sozialversicherungsnummer|Versichertennummer|Krankenversichertennr
        Steuer-ID|Kontonummer|Kreditkarte|Kfz-Kennzeichen|Fahrgestellnummer|Krankenkasse
        DNI|NIE|pasaporte|número de seguridad social|tarjeta sanitaria|número de cuenta|tarjeta de crédito|matrícula|póliza
        NIR|numéro de sécurité sociale|carte vitale|passeport|carte d'identité|permis de conduire|carte bancaire|RIB|mutuelle
        compte bancaire|plaque d'immatriculation
        身分證|身分證字號|身份證號|身份证号|居留證號碼|居留证|健保卡號|護照|护照号码|證件號碼|社保号|医保卡号|保單號碼|保险号
        銀行帳號|银行卡号|信用卡號|車牌號碼|车牌|駕照
        マイナンバー|個人番号|保険証番号|被保険者番号|パスポート番号|免許証|口座番号|クレジットカード|車両番号""",
    "record": """
        MRN|medical record number|chart no|Chart_Number|hospital number|record no|id_no|Fallnummer|Patientennummer|Aktenzeichen
        historia clínica|número de historia|NHC|numéro de dossier|IPP|病歷號|病歷號碼|病历号|病案号|住院號|住院号|門診號|カルテ番号|診察券番号""",
    "reach": """
        phone|Phone number|Mobile|tel|Tel.|telephone_home|cell phone|Fax|e-mail|Email|E-Mail address|emails|phone2|url|website
        WhatsApp|LINE ID|facebook|Telefon|Telefonnummer|Handynummer|Mobiltelefon|Faxnummer|E-Mail-Adresse|teléfono|Teléfono móvil
        celular|correo electrónico|sitio web|téléphone|portable|courriel|télécopie|numéro de téléphone|contact
        電話|聯絡電話|联系电话|手機|手机号|行動電話|傳真|传真|電子郵件|电子邮件|信箱|邮箱|微信|聯絡方式|联系方式|網址
        電話番号|携帯電話|メールアドレス|連絡先|ファックス""",
    "place": """
        address|Home address|street|ZIP|zip code|postcode|post code|Postal code|GPS|lat|latitude|Longitude|home city|residence
        Adresse|Anschrift|Straße|Hausnummer|PLZ|Postleitzahl|Wohnort|dirección|domicilio|calle|código postal|latitud
        rue|code postal|domicile|ville de résidence|coordonnées GPS
        地址|住址|通訊處|戶籍地址|户籍|郵遞區號|邮政编码|邮编|經度|纬度|住所|郵便番号|現住所|座標""",
    "device": """
        IP|IP address|MAC address|device id|Device serial|serial number|UDI|photo|picture_of_face|voice|voice recording|fingerprint
        iris scan|biometrics|IP-Adresse|Seriennummer|Gerätenummer|Lichtbild|Fingerabdruck|foto|voz|huella|número de serie
        empreinte|voix|numéro de série|照片|相片|指紋|指纹|錄音|录音|人臉|設備序號|IP地址|顔写真|録音データ|シリアル番号|音声""",
    "text": """
        note|Notes|comment|Comments (free)|remark|Remarks|free text|narrative|memo|Bemerkung|Bemerkungen|Notizen|Anmerkung
        Kommentar|Freitext|observaciones|comentarios|notas|texto libre|remarques|commentaire|observations|texte libre|anamnèse
        備註|备注|註記|主訴|主诉|病史|說明|意見|備考|コメント|メモ|特記事項|自由記載|所見""",
}

HARMLESS_HEADERS = """
    patient_id|subject_id|record_id|id|Pt No|patient|episode_id|case|visit|visit_date|first appt|start date|time point|week
    therapy|Treatment given|group|arm|Physio|therapist|PT_code|therapist code|clinic|Clinic name|site name|Provider Code
    provider name|practice|hospital|region|Area|cause|diagnosis|age|age_band|Age (years)|sex|Gender|bmi|height|weight
    birth weight|sessions|minutes|Duration|Score|Instrument name|scale name|odi|ODI %|ODI item 1|nprs|Pain 0-10|VAS mm
    EQ-5D index|PROMIS PF|lat flexion deg|lateral bend|IP flexion|plumb line cm|C7 plumb line|base line|finger to floor|fingertip
    end plate change|plate fixation|device type|photobiomodulation|photo therapy|Modic type|insurance status|insurance type
    mobile app use|e-mail reminder|test name|exercise name|visit name|NHS trust|NHS site|chart review|pain chart done
    Klinikname|Name der Klinik|Praxis|Standort|Behandlung|Therapie|Alter|Geschlecht|Größe|Gewicht|Schmerz|Sitzungen|Besuch
    Geburtsgewicht|telefonisch erreicht|Fragebogen|Dauer|Versicherungsart|Rückenschmerz|Beschwerdedauer|Altersgruppe
    nombre de la clínica|centro|tratamiento|terapia|edad|sexo|dolor|sesiones|visita|duración|grupo de edad|peso al nacer|nivel
    nom de la clinique|centre|cabinet|traitement|thérapie|âge|sexe|douleur|séances|visite|durée|tranche d'âge|niveau|note douleur
    診所名稱|診所|院所|治療項目|治療名稱|療程次數|性別|年齡層|年齡|部位|疼痛分數|訪視|基線|追蹤|分數|療效|序號|編號|組別|身高|體重
    诊所名称|治疗项目|疗程|性别|年龄|年龄段|疼痛评分|随访|基线|评分|序号|编号|组别|身高|体重|病名|药名|部位名称
    施設名|治療法|治療回数|性別|年齢|年齢層|部位|痛みスコア|来院日|開始日|群|番号|身長|体重|評価日|病名|担当|点数
    Year|Procedure name|Revision Flag|Heart Disease|Smoking|Work|Education|employment_status|ethnicity|handedness|consent
    Schober cm|Cobb deg|severity|adverse event|opioid|satisfaction|recurrence|self-efficacy|sleep quality|timeline""".replace(
    "|note douleur", ""
)

GIVEN = "Tina Olga Paul Hannah Gareth Siobhan Mateo Ximena Lukas Heike Jürgen Ulrike Chloé Mathieu Thibault Aurélie Priya".split()
FAMILY = "Wood Green Wright Okafor Llewellyn García Ibáñez Müller Vogelsang Lefèvre Dupont Charpentier Novak Iyer Smith".split()
HAN_FAMILY = "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴徐周葉蘇莊江呂何羅高蕭潘朱簡鍾彭游詹胡施沈余盧"
HANS_FAMILY = "李王张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕佘"
HAN_GIVEN = "志明淑芬美玲家豪雅婷怡君俊傑建宏宗翰佳穎承恩子軒詩涵宇翔欣怡柏翰冠廷"
HANS_GIVEN = "伟芳娜敏静丽强磊洋勇艳杰娟涛明超秀兰霞平刚桂英"
JAPANESE = "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 松本 井上 木村 林 清水 山崎 森 池田 橋本 阿部 石川 小川 五十嵐".split()
JAPANESE_GIVEN = "花子 太郎 健 美咲 翔太 陽菜 大輔 由美 健一 さくら".split()
THERAPIES = "核心肌力訓練 伸展運動 徒手治療 一般照護 牽引治療 電療 熱療 注射治療 認知治療 綜合物理治療 針灸 運動療法 温熱療法 手技療法 牵引治疗 推拿".split()
LOINC = "72514-3 89206-7 38208-5 72133-2 44261-6 70221-7 8867-4 29463-7 8302-2 39156-5".split()
ICD = "M54.5 M54.50 M54.16 M47.816 S13.4 G57.1 Z98.1 M51.26 M48.06 R52.2 F45.41 M54.5G".split()
UCUM = "cm mm s deg kg/m2 {score} [pH] 10*3/uL mm[Hg] % min N.m".split()
SITES = "North Clinic|Harbour House|Old Mill|Hyde Park|St. Mary's|Charlotte Street|Victoria Park|Praxis am Markt|Centro Norte"
SITES += "|Cabinet du Parc|大安診所|林口院區|高雄院區|江南店|仁愛院|本町クリニック|中央整形外科|东城门诊"


def list_identifying_columns() -> list[LabelledColumn]:
    """Return every labelled column that must be refused."""
    draw = random.Random(SEED)
    return [
        *_list_headers(),
        *_list_numbers(draw),
        *_list_contacts(draw),
        *_list_names(draw),
        *_list_rest(draw),
    ]


def list_headers(table: str) -> list[str]:
    """Return the entries of one of the tables of headers."""
    return [
        entry.strip() for line in table.strip().splitlines() for entry in line.split("|") if entry.strip()
    ]


def _list_headers() -> Iterator[LabelledColumn]:
    for family, table in IDENTIFYING_HEADERS.items():
        for header in list_headers(table):
            yield LabelledColumn(f"header: {family}", header, "site", ["A", "B", "C", "A"])


def make_number(draw: random.Random, form: str, check: Callable[[str], bool] | None = None) -> str:
    """Return a text of a form (9 a digit, A a letter, other signs themselves) that passes a check."""
    while True:
        text = "".join(
            str(draw.randrange(10))
            if sign == "9"
            else draw.choice("ABCDEFGHJKLMNPRSTUVWXYZ")
            if sign == "A"
            else sign
            for sign in form
        )
        if check is None or check(text):
            return text


def make_taiwan_number(draw: random.Random, second: str) -> str:
    """Return a Taiwanese number with its check digit, by the published weights."""
    letters = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
    first, mark = draw.choice(letters), draw.choice(second)
    value = str(letters.index(first) + 10)
    mark_value = mark if mark.isdigit() else str((letters.index(mark) + 10) % 10)
    body = f"{draw.randrange(10**7):07d}"
    total = sum(
        int(d) * w for d, w in zip(value + mark_value + body, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1), strict=True)
    )
    return f"{first}{mark}{body}{-total % 10}"


def _stdnum(name: str) -> Callable[[str], bool]:
    check = import_module(f"stdnum.{name}").is_valid
    return lambda text: check(text.replace(" ", "").replace("-", ""))


#: What it is, its form, and the module of python-stdnum that knows its check.
CHECKED = (
    ("NHS number", "999 999 9999", "gb.nhs"),
    ("NHS number", "9999999999", "gb.nhs"),
    ("NHS number", "999-999-9999", "gb.nhs"),
    ("social security number US", "999-99-9999", "us.ssn"),
    ("payment card", "4999 9999 9999 9999", "luhn"),
    ("payment card", "5999999999999999", "luhn"),
    ("My Number", "9999 9999 9999", "jp.in_"),
    ("Aadhaar", "9999 9999 9999", "in_.aadhaar"),
    ("social insurance number Canada", "999 999 999", "ca.sin"),
    ("PPS", "9999999A", "ie.pps"),
    ("tax number Germany", "99 999 999 999", "de.idnr"),
    ("DNI", "99999999A", "es.dni"),
    ("NIE", "X9999999A", "es.nie"),
    ("NIR", "2 99 07 75 999 999 99", "fr.nir"),
    ("NIR", "199079299999999", "fr.nir"),
    ("AHV", "756.9999.9999.99", "ch.ssn"),
    ("national number Belgium", "75.07.12-999 99", "be.nn"),
    ("social security number Austria", "9999 120775", "at.vnr"),
    ("IBAN", "GB99 NWBK 9999 9999 9999 99", "iban"),
    ("IBAN", "DE99999999999999999999", "iban"),
    ("IBAN", "FR99 2004 1010 0505 0001 3M02 606", "iban"),
)


def list_checked_numbers(draw: random.Random, each: int) -> Iterator[tuple[str, str]]:
    """Yield kind and text of numbers with a check digit."""
    for kind, form, module in CHECKED:
        for _ in range(each):
            yield kind, make_number(draw, form, _stdnum(module))
    for _ in range(each):
        ric = f"110105{draw.randrange(1940, 2005)}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}"
        yield "RIC", ric + make_ric_end(draw, ric)
        for kind, second in (("Taiwan ID", "12"), ("Taiwan ARC", "89"), ("Taiwan ARC, old", "ABCD")):
            yield kind, make_taiwan_number(draw, second)
        yield "HKID", make_hong_kong_number(draw)
        yield "VIN", make_vehicle_number(draw)


def make_ric_end(draw: random.Random, start: str) -> str:
    """Return the last four signs of a Chinese resident number (GB 11643, ISO 7064 mod 11-2)."""
    body = f"{start}{draw.randrange(1000):03d}"
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body[-3:] + "10X98765432"[total % 11]


def make_hong_kong_number(draw: random.Random) -> str:
    body = make_number(draw, "A999999")
    values = [36, 10 + ord(body[0]) - 65, *map(int, body[1:])]
    rest = -sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) % 11
    return f"{body}({'A' if rest == 10 else rest})"


def make_vehicle_number(draw: random.Random) -> str:
    values = dict(
        zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True)
    )
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    body = make_number(draw, "1AAA99AA0AA999999")
    total = sum((int(s) if s.isdigit() else values[s]) * w for s, w in zip(body, weights, strict=True))
    return f"{body[:8]}{'X' if total % 11 == 10 else total % 11}{body[9:]}"


#: National forms of telephone numbers: region, form (9 a digit).
PHONE_FORMS = (
    ("TW", "0999-999-999"), ("TW", "09999999999"[:10]), ("TW", "(02) 2999-9999"), ("TW", "04-2999-9999"), ("TW", "037-999-999"),
    ("GB", "020 7999 9999"), ("GB", "07999 999999"), ("GB", "0161 999 9999"), ("GB", "(01223) 999999"), ("GB", "07999999999"),
    ("US", "(999) 999-9999"), ("US", "999-999-9999"), ("US", "999.999.9999"), ("US", "1-999-999-9999"), ("US", "9999999999"),
    ("CN", "139 9999 9999"), ("CN", "13999999999"), ("CN", "010-99999999"), ("CN", "021 99999999"),
    ("JP", "090-9999-9999"), ("JP", "03-9999-9999"), ("JP", "0459-99-9999"), ("JP", "08099999999"),
    ("DE", "030 999999"), ("DE", "089/9999999"), ("DE", "0171 9999999"), ("DE", "01719999999"), ("DE", "0221-9999999"),
    ("AT", "0664 9999999"), ("CH", "079 999 99 99"), ("CH", "0799999999"),
    ("ES", "612 999 999"), ("ES", "91 999 99 99"), ("ES", "699999999"), ("ES", "934 99 99 99"),
    ("FR", "06 99 99 99 99"), ("FR", "01.99.99.99.99"), ("FR", "0699999999"),
)  # fmt: skip


def make_phone(draw: random.Random, region: str, form: str, international: bool = False) -> str:
    """Return a valid telephone number of a region, in a form or with its country code."""

    def holds(text: str) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
        except phonenumbers.NumberParseException:
            return False

    text = make_number(draw, form, holds)
    if not international:
        return text
    style = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(phonenumbers.parse(text, region), style)


def _host(draw: random.Random, value: str, number: int) -> tuple[str, str, list[str]]:
    """Return header, name and values of a clean column with one value planted."""
    hosts = [
        ("clinic", "site", ["A", "B", "C"] * 30),
        ("therapist", "therapist", [f"T{n % 12:02d}" for n in range(90)]),
        ("patient_id", "patient_id", [f"P{n:04d}" for n in range(90)]),
        ("age group", "age_band", ["40-49", "50-59", "60-69"] * 30),
    ]
    header, name, values = hosts[number % len(hosts)]
    values = list(values)
    values[draw.randrange(len(values))] = value
    return header, name, values


def _plant(kind: str, draw: random.Random, texts: list[str]) -> Iterator[LabelledColumn]:
    for number, text in enumerate(texts):
        yield LabelledColumn(kind, *_host(draw, text, number))


def _list_numbers(draw: random.Random) -> Iterator[LabelledColumn]:
    for number, (kind, text) in enumerate(list_checked_numbers(draw, 4)):
        yield LabelledColumn(f"number: {kind}", *_host(draw, text, number))
    numbers = [text for _, text in list_checked_numbers(draw, 1)]
    yield from _plant("number: within a text", draw, [f"see {text}, left" for text in numbers])
    wide = [text.translate({ord(d): 0xFF10 + int(d) for d in "0123456789"}) for text in numbers]
    yield from _plant("number: full-width digits", draw, wide)
    arabic = [text.translate({ord(d): 0x0660 + int(d) for d in "0123456789"}) for text in numbers]
    yield from _plant("number: Arabic digits", draw, arabic)
    hidden = [f"{text[:3]}\u200b{text[3:]}" for text in numbers]
    yield from _plant("number: zero-width space within", draw, hidden)
    odd = [text.replace(" ", "\u00a0").replace("-", "\u2011") for text in numbers]
    yield from _plant("number: other blanks and dashes", draw, odd)


def _list_contacts(draw: random.Random) -> Iterator[LabelledColumn]:
    words = ["a.chen", "t_wood", "olga+pt", "müller", "王小明", "P.Wright"]
    hosts = ["example.org", "mail.example.com", "klinik.example.de", "例え.jp"]
    mails = [f"{word}@{host}" for word in words for host in hosts]
    mails += [
        "Wood <t.wood@example.org>",
        "t.wood＠example.org",
        "t.wood [at] example.org",
        "A; b@example.org; C",
    ]
    yield from _plant("e-mail", draw, mails)
    for region, form in PHONE_FORMS:
        yield from _plant(f"phone: {region}", draw, [make_phone(draw, region, form)] * 4)
        yield from _plant("phone: with country code", draw, [make_phone(draw, region, form, True)])
    yield from _plant(
        "phone: within a text", draw, ["tel 0912-345-678", "call +44 20 7946 0958 after 5", "手機0912345678"]
    )
    yield from _plant(
        "phone: other digits",
        draw,
        ["０９１２－３４５－６７８", "٠٩١٢-٣٤٥-٦٧٨", "〇九一二三四五六七八", "090ー1234ー5678"],
    )


def _list_names(draw: random.Random) -> Iterator[LabelledColumn]:
    def latin() -> tuple[str, str]:
        return draw.choice(GIVEN), draw.choice(FAMILY)

    orders: dict[str, Callable[[], str]] = {
        "given family": lambda: "{} {}".format(*latin()),
        "family, given": lambda: "{1}, {0}".format(*latin()),
        "capitals": lambda: "{1}, {0}".format(*latin()).upper(),
        "initial": lambda: "{0[0]}. {1}".format(*latin()),
        "given alone": lambda: draw.choice(GIVEN),
        "family alone": lambda: draw.choice(FAMILY),
        "dotted": lambda: "{}.{}".format(*latin()).lower(),
        "Chinese, traditional": lambda: (
            draw.choice(HAN_FAMILY) + "".join(draw.sample(HAN_GIVEN, draw.choice([1, 2, 2, 2])))
        ),
        "Chinese, simplified": lambda: (
            draw.choice(HANS_FAMILY) + "".join(draw.sample(HANS_GIVEN, draw.choice([1, 2])))
        ),
        "Japanese": lambda: draw.choice(JAPANESE) + draw.choice(["", " "]) + draw.choice(JAPANESE_GIVEN),
        "kana": lambda: (
            draw.choice(["ヤマダ", "スズキ", "タナカ"]) + " " + draw.choice(["ハナコ", "タロウ", "ユミ"])
        ),
    }
    for order, make in orders.items():
        for name in ("therapist", "patient_id"):
            for size in (6, 12, 25):
                yield LabelledColumn(f"name: {order}", "who", name, [make() for _ in range(size)])
    for order in ("given family", "family, given", "Chinese, traditional", "Japanese"):
        for _ in range(2):
            yield LabelledColumn(
                f"name: {order}, as sites", "site", "site", [orders[order]() for _ in range(8)]
            )
    titled = [
        "Dr Lee", "Dr. Okafor", "Dr.Lee", "Mrs Wood", "Mr. Evans", "Ms Iyer", "Prof. Müller", "seen by Dr Lee", "Jane Wood DPT",
        "Herr Vogelsang", "Frau Meier", "Sra. Ibáñez", "Sr. García", "Mme Lefèvre", "Monsieur Dupont", "M. Paul Dupont",
        "王小姐", "林醫師", "陳先生", "黃治療師", "李医生", "田中さん", "佐藤 様", "山田先生",
    ]  # fmt: skip
    yield from _plant("name: with a title", draw, titled)


def _list_rest(draw: random.Random) -> Iterator[LabelledColumn]:
    links = [
        "https://records.example.org/p/1",
        "www.example.org",
        "example.org/p/1",
        "10.0.7.21",
        "2001:db8::7:1",
        "00:1a:2b:3c:4d:5e",
    ]
    yield from _plant(
        "link or device",
        draw,
        [*links, "001a.2b3c.4d5e", "(01)04012345678901", "1EG4-TE5-MK73", "AB 12 34 56 C"],
    )
    dates = [
        "1971-05-02",
        "02/05/1971",
        "2.5.1971",
        "2026年1月5日",
        "民國60年5月2日",
        "060/05/02",
        "115/03/04",
        "昭和46年5月2日",
    ]
    dates += [
        "5 Jan 2026",
        "Jan 5, 2026",
        "5. Januar 2026",
        "5 janvier 2026",
        "5 de enero de 2026",
        "S46.5.2",
        "19710502",
        "seen 2026-01-05",
    ]
    yield from _plant("date", draw, dates)
    places = [
        "SW1A 1AA", "25.0330, 121.5654", "25°02'N 121°33'E", "台北市大安區和平東路一段", "和平東路一段12號", "12 Long Lane", "10115-1234",
        "Hauptstraße 5", "Musterstr. 12", "Calle Mayor 5", "12 rue de la Paix", "75001 Paris", "P.O. Box 12", "東京都港区芝公園4丁目2-8",
        "北京市海淀区中关村大街1号", "〒105-0011", "M5V 2T6", "Postfach 12",
    ]  # fmt: skip
    yield from _plant("place", draw, places)
    for text in ("93", "91-95", "100+", ">95", "95 to 99"):
        yield LabelledColumn("age", "age group", "age_band", ["40-49", text, "60-69"])
    yield LabelledColumn("age", "age", "age_years", ["40", "93"])
    yield from _plant("labelled", draw, ["MRN 123456", "病歷號:1234567", "passport X1234567", "車牌ABC-1234"])
    sentences = [f"felt better after walking {n} minutes with a friend" for n in range(60)]
    yield LabelledColumn("free text", "what", "site", sentences)
    yield LabelledColumn(
        "free text", "what", "therapist", [f"{text} and so on, for long" for text in sentences]
    )


def list_harmless_columns() -> list[LabelledColumn]:
    """Return every labelled column that must pass."""
    draw = random.Random(SEED + 1)
    columns = [
        LabelledColumn("header", header, "site", ["A", "B", "C", "A"])
        for header in list_headers(HARMLESS_HEADERS)
    ]
    return [
        *columns,
        *_list_study_ids(draw),
        *_list_codes(draw),
        *_list_numbers_of_scores(draw),
        *_list_declared_dates(draw),
    ]


def _list_study_ids(draw: random.Random) -> Iterator[LabelledColumn]:
    schemes: dict[str, Callable[[int], str]] = {
        "P0001": lambda n: f"P{n:04d}",
        "site and number": lambda n: f"{n % 9 + 1:02d}-{n:04d}",
        "site, arm, number": lambda n: f"{n % 30 + 1:03d}-{n % 2 + 1:03d}-{n:04d}",
        "country-site-number": lambda n: f"TW-{n % 12 + 1:02d}-{n:03d}",
        "four and four": lambda n: f"{n % 9 + 101:04d}-{n:04d}",
        "accession": lambda n: f"2026-{n:06d}",
        "accession with letters": lambda n: f"ACC2026{n:07d}",
        "zero-padded": lambda n: f"{n:08d}",
        "zero-padded, ten": lambda n: f"{n:010d}",
        "year and number, ten": lambda n: f"2026{n:06d}",
        "ten random digits": lambda n: str(draw.randrange(10**9, 10**10)),
        "nine random digits": lambda n: str(draw.randrange(10**8, 10**9)),
        "eleven random digits": lambda n: str(draw.randrange(2 * 10**10, 10**11)),
        "sixteen random digits": lambda n: str(draw.randrange(10**15, 10**16)),
        "hexadecimal, 10": lambda n: f"{draw.getrandbits(40):010x}",
        "hexadecimal, 16": lambda n: f"{draw.getrandbits(64):016x}",
        "hexadecimal, 32": lambda n: f"{draw.getrandbits(128):032x}",
        "UUID": lambda n: "-".join(f"{draw.getrandbits(4 * k):0{k}x}" for k in (8, 4, 4, 4, 12)),
        "base 36": lambda n: "".join(draw.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(8)),
        "letters": lambda n: "".join(draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(6)),
        "word and number": lambda n: f"subject {n}",
        "year and number": lambda n: f"R{n % 5 + 2020}/{n:04d}",
    }
    for scheme, make in schemes.items():
        for size in (8, 60, 400):
            yield LabelledColumn(
                f"id: {scheme}", "patient_id", "patient_id", [make(n) for n in range(1, size + 1)]
            )


def _list_codes(draw: random.Random) -> Iterator[LabelledColumn]:
    pools = {
        "ICD": ICD, "LOINC": LOINC, "UCUM": UCUM, "therapies": THERAPIES, "sites": SITES.split("|"),
        "bands": ["<18", "18-29", "30-39", "80-89", "90+"], "yes": ["yes", "no", "unknown"], "provider": ["RVJ01", "NT337", "8HK45", "RXX"],
        "items": [f"ODI{n:02d}" for n in range(1, 11)], "levels": ["L4/5", "L5/S1", "C5-6", "T12-L1"], "grades": ["1", "2a", "2b", "3"],
        "EQ-5D states": ["11111", "21232", "33333", "55555", "11112"], "EQ-5D states with marks": ["1-1-2-1-1", "2-1-2-3-2"],
        "versions": ["2.1a", "1.0", "v3.2.1"], "times": ["08:30", "14:05", "08:30-09:30"], "years": ["2018/19", "2019/20", "2025-26"],
        "quarters": ["2026-Q1", "2026-Q2"], "months": ["2026-01", "2026-02"], "initials": ["MA", "LI", "HE", "JW", "TK", "SU"],
        "teams": ["Team A", "Team B", "Blue Team"], "schools": ["McKenzie", "Mulligan", "Schroth", "Pilates", "Maitland"],
        "illnesses": ["高血壓", "糖尿病", "椎間盤突出", "坐骨神經痛", "骨質疏鬆"], "ratios": ["120/80", "135/85"], "doses": ["3x/week", "2 x 10"],
        "ranges": ["0-10", "0-100", "10-12", "100-200"], "roles": ["物理治療師", "骨科醫師", "physio", "家庭醫師"], "rooms": ["R1", "R2", "2F-3"],
    }  # fmt: skip
    for kind, pool in pools.items():
        for name in ("site", "exclude"):
            values = [draw.choice(pool) for _ in range(120)]
            yield LabelledColumn(f"code: {kind}", "code", name, values)


def _list_numbers_of_scores(draw: random.Random) -> Iterator[LabelledColumn]:
    makes: dict[str, Callable[[], str]] = {
        "whole": lambda: str(draw.randrange(0, 101)),
        "decimals": lambda: f"{draw.uniform(0, 100):.4f}",
        "negative index": lambda: f"{draw.uniform(-0.6, 1):.3f}",
        "days": lambda: str(draw.randrange(-30, 2000)),
        "counts": lambda: str(draw.randrange(0, 10**6)),
        "many decimals": lambda: repr(draw.uniform(0, 100)),
        "EQ-5D states": lambda: "".join(str(draw.randrange(1, 6)) for _ in range(5)),
        "decimal commas": lambda: f"{draw.uniform(0, 100):.2f}".replace(".", ","),
        "missing codes": lambda: draw.choice(["7", "3", "999", "-99", "NA"]),
    }
    for kind, make in makes.items():
        for _ in range(5):
            yield LabelledColumn(f"score: {kind}", "value", "day", [make() for _ in range(200)])


def _list_declared_dates(draw: random.Random) -> Iterator[LabelledColumn]:
    def day() -> tuple[int, int, int]:
        return draw.randrange(2015, 2027), draw.randrange(1, 13), draw.randrange(1, 29)

    forms: dict[str, Callable[[int, int, int], str]] = {
        "ISO": lambda y, m, d: f"{y}-{m:02d}-{d:02d}",
        "slashes": lambda y, m, d: f"{y}/{m}/{d}",
        "day first": lambda y, m, d: f"{d:02d}.{m:02d}.{y}",
        "day first, slashes": lambda y, m, d: f"{d:02d}/{m:02d}/{y}",
        "two digits": lambda y, m, d: f"{d:02d}/{m:02d}/{y % 100}",
        "Minguo": lambda y, m, d: f"{y - 1911}/{m:02d}/{d:02d}",
        "Minguo, padded": lambda y, m, d: f"{y - 1911:03d}-{m:02d}-{d:02d}",
        "Minguo, in words": lambda y, m, d: f"民國{y - 1911}年{m}月{d}日",
        "stamp": lambda y, m, d: f"{y}-{m:02d}-{d:02d}T08:30:00+08:00",
        "stamp with a blank": lambda y, m, d: f"{d:02d}.{m:02d}.{y} 08:30",
        "digits": lambda y, m, d: f"{y}{m:02d}{d:02d}",
        "digits of a stamp": lambda y, m, d: f"{y}{m:02d}{d:02d}083000",
        "serial": lambda y, m, d: str(44000 + 30 * m + d),
        "month in words": lambda y, m, d: (
            f"{d} {('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul')[m % 7]} {y}"
        ),
    }
    for form, write in forms.items():
        for _ in range(3):
            yield LabelledColumn(f"date: {form}", "visit", "date", [write(*day()) for _ in range(150)])
