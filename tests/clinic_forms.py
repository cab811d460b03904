"""Exports of forms in seven languages, each header a whole question, made up from one list of patients."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic_sheets import Patient

#: The letter of an answer in full width.
_WIDE = "ＡＢＣＤＥＦ"


@dataclass(frozen=True)
class Form:
    """A form and the words of its export.

    Parameters
    ----------
    name : str
    questions : tuple of str
        Headers: what the program adds first, then patient, visit, therapy, sex, age, region, pain.
    n_added : int
        How many columns the program adds in front.
    sections : tuple of str
        Headers of the ten questions of the ODI.
    answer : callable
        An answer of a section, from 0 to 5, as the export holds it.
    visits, therapies, sexes, regions : tuple of str
        Words of answers: three visits, three therapies, woman and man, neck and low back.
    time : str
        Format of the timestamp.
    answers : tuple of pairs
        Pattern of a line with a question to its answer, beside the usual ones.
    pain : str
        Measure of the pain, with the variant that the question names.
    encoding : str
    """

    name: str
    questions: tuple[str, ...]
    n_added: int
    sections: tuple[str, ...]
    answer: Callable[[int], str]
    visits: tuple[str, str, str]
    therapies: tuple[str, str, str]
    sexes: tuple[str, str]
    regions: tuple[str, str]
    time: str
    answers: tuple[tuple[str, str], ...] = ()
    pain: str = "nprs"
    encoding: str = "utf-8"

    def write(self, folder: Path, patients: Sequence[Patient]) -> Path:
        """Write the export, one row a visit, the rows in the order of days."""
        rows = []
        for p in patients:
            for place, days in enumerate((0, 42, 91)):
                moment = datetime.datetime.combine(p.start, datetime.time(9, p.i % 60))
                moment += datetime.timedelta(days=days)
                stamp = moment.strftime(self.time)
                later = (moment + datetime.timedelta(minutes=7)).strftime(self.time)
                own = [
                    f"Q-{p.i:03}", self.visits[place], self.therapies[p.therapy], self.sexes[not p.female],
                    p.age, self.regions[not p.neck], p.pain[place],
                ]  # fmt: skip
                items = [self.answer(item) for item in list_items(p, place)]
                rows.append((moment, [stamp, later, f"user{p.i}@example.org", "anonymous"], own, items))
        rows.sort(key=lambda row: row[0])
        path = folder / f"{self.name}.csv"
        with path.open("w", newline="", encoding=self.encoding) as file:
            writer = csv.writer(file)
            writer.writerow([*self.questions, *self.sections])
            for number, (_, (stamp, later, mail, name), own, items) in enumerate(rows, start=1):
                added = [stamp, mail] if self.n_added == 2 else [number, stamp, later, mail, name]
                writer.writerow([*(added if self.n_added else ()), *own, *items])
        return path


def list_items(p: Patient, place: int) -> list[int]:
    """Return the answers of a patient to the ten sections, 0 to 5, of which the ODI is twice the sum."""
    return [min(5, max(0, (p.i * 3 + k * (k + p.i)) % 6 - place * (k % 2))) for k in range(10)]


GOOGLE, MICROSOFT = 2, 5
_EN = ("Pain intensity", "Personal care", "Lifting", "Walking", "Sitting", "Standing", "Sleeping", "Sex life")
_DE = ("Schmerzintensität", "Körperpflege", "Heben", "Gehen", "Sitzen", "Stehen", "Schlafen", "Sexualleben")
_FR = ("Intensité de la douleur", "Soins personnels", "Soulever", "Marche", "Position assise", "Être debout",
       "Sommeil", "Vie sexuelle")  # fmt: skip
_ES = ("Intensidad del dolor", "Cuidados personales", "Levantar peso", "Andar", "Estar sentado",
       "Estar de pie", "Dormir", "Actividad sexual")  # fmt: skip
_ZH = ("疼痛程度", "個人照顧", "提重物", "行走", "坐", "站立", "睡眠", "性生活")
_CN = ("疼痛程度", "个人照顾", "提重物", "行走", "坐", "站立", "睡眠", "性生活")
_JA = ("痛みの強さ", "身の回りのこと", "物を持ち上げること", "歩くこと", "座ること", "立つこと", "睡眠",
       "性生活")  # fmt: skip

FORMS = (
    Form(
        "english-microsoft",
        ("ID", "Start time", "Completion time", "Email", "Name", "What is your patient code?",
         "Which appointment is this?", "What treatment are you receiving at the moment?", "What is your sex?",
         "How old are you?", "Where do you feel the problem most?",
         "How strong was your pain on average over the past week? (0 = no pain, 10 = worst)"),
        MICROSOFT,
        tuple(f"Section {k} - {name}" for k, name in enumerate((*_EN, "Social life", "Travelling"), 1)),
        lambda value: f"{'ABCDEF'[value]}) this is how it is",
        ("First visit", "After 6 weeks", "After 3 months"), ("Strengthening", "Manual therapy", "Usual care"),
        ("Woman", "Man"), ("Neck", "Lower back"), "%m/%d/%y %H:%M:%S", pain="nprs:average-last_7_days",
    ),
    Form(
        "german-google",
        ("Zeitstempel", "E-Mail-Adresse", "Wie lautet Ihr Patientencode?",
         "Um welchen Termin handelt es sich?", "Welche Behandlung erhalten Sie derzeit?",
         "Welches Geschlecht haben Sie?",
         "Wie alt sind Sie?", "Welche Region ist bei Ihnen betroffen?",
         "Wie stark sind Ihre Schmerzen im Durchschnitt? (0 = keine, 10 = stärkste)"),
        GOOGLE,
        tuple(f"{k}. {name}" for k, name in enumerate((*_DE, "Sozialleben", "Reisen"), 1)),
        lambda value: f"{'ABCDEF'[value]} - so ist es bei mir",
        ("Erstbesuch", "Nach 6 Wochen", "Nach 3 Monaten"),
        ("Krafttraining", "Manuelle Therapie", "Regelversorgung"),
        ("weiblich", "männlich"), ("Halswirbelsäule", "Lendenwirbelsäule"), "%d.%m.%Y %H:%M:%S",
        pain="nprs:average",
    ),
    Form(
        "french-google",
        ("Horodateur", "Adresse e-mail", "Quel est votre code patient ?", "De quel rendez-vous s'agit-il ?",
         "Quel traitement suivez-vous actuellement ?", "Quel est votre sexe ?", "Quel âge avez-vous ?",
         "Quelle région est la plus touchée ?",
         "Quelle est l'intensité de votre douleur en moyenne ? (0 = aucune, 10 = pire douleur)"),
        GOOGLE,
        tuple(f"Section {k} : {name}" for k, name in enumerate((*_FR, "Vie sociale", "Voyages"), 1)),
        lambda value: f"{value}) voilà comment c'est",
        ("Première visite", "Après 6 semaines", "Après 3 mois"),
        ("Renforcement musculaire", "Thérapie manuelle", "Soins usuels"),
        ("Femme", "Homme"), ("Cou", "Bas du dos"), "%d/%m/%Y %H:%M:%S", pain="nprs:average",
    ),
    Form(
        "spanish-google",
        ("Marca temporal", "Dirección de correo electrónico", "¿Cuál es su código de paciente?",
         "¿A qué visita corresponde este formulario?", "¿Qué tratamiento está recibiendo ahora?",
         "¿Cuál es su sexo?", "¿Cuántos años tiene?", "¿Qué zona le duele más?",
         "¿Cuál es la intensidad de su dolor en promedio? (0 = nada, 10 = el peor)"),
        GOOGLE,
        tuple(f"Sección {k}. {name}" for k, name in enumerate((*_ES, "Vida social", "Viajar"), 1)),
        lambda value: "ABCDEF"[value],
        ("Primera visita", "A las 6 semanas", "A los 3 meses"),
        ("Ejercicios de fortalecimiento", "Terapia manual", "Atención habitual"),
        ("Mujer", "Hombre"), ("Cuello", "Espalda baja"), "%d/%m/%Y %H:%M:%S", pain="nprs:average",
    ),
    Form(
        "traditional-chinese-google",
        ("時間戳記", "電子郵件地址", "請問您的個案編號是？", "這是您第幾次評估？", "您目前接受哪一種治療？",
         "您的性別是？",
         "請問您今年幾歲？",
         "您主要不舒服的部位是哪裡？",
         "過去一週您的疼痛平均有多嚴重？（0＝不痛，10＝最痛）"),
        GOOGLE,
        tuple(f"{k}. {name}" for k, name in enumerate((*_ZH, "社交生活", "旅行"), 1)),
        lambda value: f"{_WIDE[value]}．我的情況是這樣",
        ("初次評估", "六週後", "三個月後"), ("核心肌力訓練", "徒手治療", "一般照護"),
         ("女", "男"), ("頸部", "下背部"),
        "%Y/%m/%d %H:%M:%S", pain="nprs:average-last_7_days",
    ),
    Form(
        "simplified-chinese-microsoft",
        ("ID", "开始时间", "完成时间", "电子邮件", "名称",
         "请问您的患者编号是什么？", "这次是哪一次评估？",
         "您现在接受的治疗是哪一种？",
         "您的性别是什么？", "您今年几岁？",
         "您疼痛的部位在哪里？",
         "您的疼痛平均有多严重？（0＝不痛，10＝最痛）"),
        MICROSOFT,
        tuple(f"第{k}题：{name}" for k, name in enumerate((*_CN, "社交生活", "旅行"), 1)),
        lambda value: f"{value + 1}、我的情况是这样",
        ("首次评估", "6周后", "3个月后"), ("力量训练", "手法治疗", "常规护理"),
         ("女", "男"), ("颈椎", "腰椎"),
        "%Y/%m/%d %H:%M", pain="nprs:average", encoding="gb18030",
    ),
    Form(
        "japanese-google",
        ("タイムスタンプ", "メールアドレス", "あなたの患者番号を入力してください。",
         "今回の評価時期はいつですか？",
         "現在どの治療を受けていますか？",
         "あなたの性別を教えてください。", "年齢はおいくつですか？",
         "主に痛む部位はどこですか？",
         "痛みの強さは平均でどのくらいですか？（0＝なし、10＝最悪）"),
        GOOGLE,
        tuple(f"問{k} {name}" for k, name in enumerate((*_JA, "社会生活", "旅行"), 1)),
        lambda value: f"（{'ＡＢＣＤＥＦ'[value]}）このような状態です",
        ("初回評価", "６週間後", "３か月後"), ("筋力トレーニング", "徒手療法", "通常ケア"),
         ("女性", "男性"), ("首", "腰"),
        "%Y/%m/%d %H:%M:%S", pain="nprs:average",
    ),
)  # fmt: skip
