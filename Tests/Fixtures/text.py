"""Writes Tests/Fixtures/text: captions and what the reference tokenizers make of them.

    python3 Tests/Fixtures/text.py

Needs open_clip_torch, ftfy, regex (OpenAI's tokenizer) and tokenizers (Hugging Face's). Each
`captions-*.bin.gz` holds, after the magic `CLIPTEXT` and a version, entries of

    u16 bytes, caption in UTF-8, u32 hash of OpenAI's 77 ids, u32 hash of Hugging Face's

where the hash is FNV-1a over the ids without padding as little-endian i32. Captions in which ftfy
repairs mojibake are left out: the library does not repair it. The tar files hold three captioned
images each, in the formats that `tarfile` can write; `hidden.png` shows less than it holds.
"""

import gzip
import html.entities
import importlib.util
import io
import pathlib
import random
import struct
import tarfile
import unicodedata
import zlib

import ftfy
import tokenizers

FOLDER = pathlib.Path(__file__).parent / "text"
VERSION = 1
CONTEXT_LENGTH = 77

spec = importlib.util.find_spec("open_clip")
package = pathlib.Path(spec.submodule_search_locations[0])
spec = importlib.util.spec_from_file_location("tokenizer", package / "tokenizer.py")
openai = importlib.util.module_from_spec(spec)
spec.loader.exec_module(openai)
reference = openai.SimpleTokenizer()


def fast_tokenizer():
    """The tokenizer that transformers builds for CLIP from `vocab.json` and `merges.txt`."""
    names = dict(reference.encoder)
    start, end = names.pop("<start_of_text>"), names.pop("<end_of_text>")
    names["<|startoftext|>"], names["<|endoftext|>"] = start, end
    merges = sorted(reference.bpe_ranks, key=reference.bpe_ranks.get)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(
        vocab=names, merges=merges, continuing_subword_prefix="", end_of_word_suffix="</w>",
        fuse_unk=False, unk_token="<|endoftext|>"))
    tokenizer.normalizer = tokenizers.normalizers.Sequence([
        tokenizers.normalizers.NFC(),
        tokenizers.normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
        tokenizers.normalizers.Lowercase()])
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Split(
            tokenizers.Regex(
                r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""),
            behavior="removed", invert=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.post_processor = tokenizers.processors.RobertaProcessing(
        ("<|endoftext|>", end), ("<|startoftext|>", start), add_prefix_space=False,
        trim_offsets=False)
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    return tokenizer


WORDS = """a an the photo of image dog cat man woman child street red blue green small large
    beach sunset mountain river city car bus train bicycle horse bird airplane truck ship deer frog
    kitchen table chair plate pizza cake birthday wedding couple smiling holding standing sitting
    running player baseball tennis soccer team stadium illustration vector background texture
    pattern logo poster vintage black white portrait close-up aerial view night sky stars snow
    forest lake bridge tower church castle museum painting sculpture artist actress premiere festival
    president minister university hospital computer keyboard smartphone screen quality royalty-free
    isn't don't they're I've I'm she'll he'd dog's O'Brien rock'n'roll it's we'd've y'all 'tis
    antidisestablishmentarianism electroencephalography supercalifragilistic""".split()
SCRIPTS = """Ένα σκυλί τρέχει στην παραλία ΟΔΟΣ ΟΔΥΣΣΕΥΣ Σίσυφος ΆΣ.Α Σ ΣΑΣ;Собака бежит по пляжу
    ЗАКАТ НАД ГОРАМИ ёлка Їжак;犬が海辺を走っています。東京タワーの写真 ｶﾀｶﾅ ガギグ;강아지가 해변에서 뛰고 있다 한국어 사진;
    一只狗在海滩上奔跑 紅色的花 ２０２０年;كلب يجري على الشاطئ صورةٌ مُشَكَّلة ١٢٣;כלב רץ על החוף בְּרֵאשִׁית;
    समुद्र तट पर दौड़ता हुआ कुत्ता क़ ख़ १२३;สุนัขวิ่งบนชายหาด ๑๒๓;Một con chó chạy trên bãi biển Đường;
    İstanbul'da güneşli bir gün ISPARTA ığdır ŞIK;Ein Straßenhund läuft ÜBER die Brücke STRASSE ẞ;
    Un perro corre por la playa ¿dónde? ¡aquí! Niño AÑO;Un été à l'île d'Yeu, œuvre ŒUVRE çà;
    Pies biegnie po plaży ŻÓŁĆ;Šuo bėga paplūdimiu;ძაღლი სანაპიროზე ᲫᲐᲦᲚᲘ;Շունը վազում է ԼՈՂԱՓՈՒՄ և;
    নদীর ধারে একটি কুকুর;நாய் கடற்கரையில் ஓடுகிறது;ನಾಯಿ ಕಡಲತೀರ;ውሻ በባህር ዳርቻ;ཁྱི་མཚོ་འགྲམ;ខ្មែរ ឆ្កែ;ᏣᎳᎩ ꮳꮃꭹ;
    𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𐐼𐐯𐑅;ðþæ Þórður ǅungla ǆ ŉ ĳs Ĳsland;𝓬𝓵𝓲𝓹 𝔻𝕠𝕘 𝐁𝐨𝐥𝐝 ℕ Ⅷ ⅷ ⓐ Ⓐ ½ ² ①;Å Å K K Ω Ω ﬁre oﬃce ﬅop;
    ＦＵＬＬ ＷＩＤＴＨ！＃ ￦１００　space;ʼtwas ‘single’ “double” ‛low‟ ‚x„""".split(";")
EMOJI = """😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵🇺🇸 1️⃣ #️⃣ ❤️ ☕ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🧑🏿‍🚀 ™️ ©️ 🫠 🤌🏻 ✨✨✨ 🎉!!! ♀️ ⚽️ 😂😂 🐶🐱""".split()
SPACES = ["\t", "\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0",
          "\u1680", "\u2000", "\u2003", "\u2009", "\u200b", "\u200c", "\u200d", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "\u180e", "\u00ad", "\u200e", "\u202e"]
CONTROLS = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]] + [
    "\x1b[31m", "\x1b[0;1m", "\x1b[", "\x1b[2", "\x1b", "\u206a", "\ufff9", "\ufffc", "\ufffd", "\ufdd0"]
PIECES = """<start_of_text> <end_of_text> <START_OF_TEXT> <ſtart_of_text> <|startoftext|> <|endoftext|>
    <|endoftext <person> </w> 'ſ 'S 'LL ’s ’re 'l 'v 'r '' 'd've ''s !'s _ __init__ snake_case a_b
    #hashtag @user user@example.com http://a.b/c?d=e&f=g https://www.example.org/x_y%20z $9.99 1,000.50
    100% 3x4 1920x1080 50mm f/1.8 24-70 °C ± × ÷ — – … • → ≠ ≤ ∞ ∑ √ ¼ € £ ¥ ₹ § ¶ © ® ™ ~ ^ ` | \\ / {} [] () <>
    &c AT&T &notit; &nosuch; &amp &lt &copy2020 &amp;amp;amp; &AMP;quot; &#39; &#x27; &#8217; &#x1F436;
    &#0; &#x80; &#150; &#xD800; &#x110000; &#99999999999; &#; &#x; &EACUTE; &NTILDE; &SZLIG; &Eacute; &nbsp;
    &rsquo; &#59; &#12ab; &#13; &#28; &zwj; &CounterClockwiseContourIntegral; &ngE; &fjlig; &AElig &thinsp""".split()
NAMES = sorted(html.entities.html5)


def code_points():
    return [code for code in range(0x20, 0x110000)
            if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]


def captions(draw):
    assigned = code_points()
    small = [code for code in assigned if code < 0x3000]
    marks = [code for code in assigned if unicodedata.combining(chr(code))]
    cased = [code for code in assigned if chr(code).lower() != chr(code)]
    odd = [code for code in assigned
           if unicodedata.category(chr(code)) in ("Lm", "No", "Nl", "Zs", "Cf", "Sk", "Mc", "Me")
           or not unicodedata.is_normalized("NFC", chr(code))]

    def characters(pool, low, high):
        return "".join(chr(draw.choice(pool)) for _ in range(draw.randint(low, high)))

    def words(low, high):
        return [draw.choice((str, str, str, str.upper, str.title))(draw.choice(WORDS))
                for _ in range(draw.randint(low, high))]

    def mixed(extra, low, high):
        text = words(1, 4) + [draw.choice(extra) for _ in range(draw.randint(low, high))]
        draw.shuffle(text)
        return "".join(word + draw.choice((" ", " ", "", ", ")) for word in text)

    def entity():
        kind = draw.randrange(5)
        name = draw.choice(NAMES)
        if kind == 0:
            return "&" + name.upper()
        if kind == 1:
            return f"&#{draw.choice(small)};"
        if kind == 2:
            return f"&#x{draw.choice(assigned):{draw.choice('xX')}}" + draw.choice(("", ";"))
        return "&" + name + draw.choice(("", "", "x", "amp;"))

    yield from ["", " ", "\n", "a", "'", "é", "e\u0301", "\u0301", "\u0345", "a\u0345b", "!\u0345!"]
    yield from ["word " * 200, "supercalifragilistic" * 30, "!" * 300, "狗" * 100, "a " * 74, "a " * 75,
                "a " * 76, "\u0301" * 50, "Σ" * 20, "&amp;" * 90, "1" * 80, "'s" * 50]
    yield from PIECES + EMOJI + [script.strip() for script in SCRIPTS]
    for _ in range(1800):
        yield " ".join(words(3, 14)) + draw.choice(("", ".", "!", " ...", "?!", " (2019)", " #1"))
    for _ in range(1000):
        yield " ".join(draw.choice(draw.choice(SCRIPTS).split()) for _ in range(draw.randint(1, 6)))
    for _ in range(700):
        yield mixed(EMOJI, 1, 3)
    for _ in range(900):
        yield mixed(SPACES, 1, 4)
    for _ in range(800):
        yield mixed(CONTROLS, 1, 4)
    for _ in range(1000):
        yield mixed(PIECES, 1, 4)
    for _ in range(1000):
        yield draw.choice(WORDS) + draw.choice(("", " ")) + "".join(entity() for _ in range(draw.randint(1, 3)))
    for _ in range(900):
        yield characters(assigned, 2, 8)
    for _ in range(800):
        yield characters(small, 2, 8)
    for _ in range(600):
        yield characters(odd, 1, 3) + draw.choice(WORDS) + characters(odd, 1, 2)
    for _ in range(600):
        yield "".join(chr(draw.choice(small)) + characters(marks, 0, 3) for _ in range(3))
    for _ in range(500):
        yield characters(cased, 1, 6) + draw.choice(("", "Σ", "Σ'", "ΑΣ", "İ"))
    for _ in range(400):
        yield "".join(draw.choice(PIECES + SPACES + CONTROLS) for _ in range(draw.randint(2, 5)))
    for _ in range(300):
        yield "".join(draw.choice("'sStdmlLveERVr!_ 1aé&;#") for _ in range(draw.randint(3, 20)))
    for _ in range(20):
        yield " ".join(words(60, 90))


def has_mojibake(text):
    return ftfy.fix_text(text) != ftfy.fix_text(text, fix_encoding=False)


def digest(ids):
    value = 0x811C9DC5
    for byte in struct.pack(f"<{len(ids)}i", *ids):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def png(red, width=20, height=16, alpha=None):
    """An image of one colour; written by hand, for Pillow's bytes differ between versions.

    `alpha` adds a channel: this value in the left half, opaque in the right one, and another colour
    behind it in every second row.
    """
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes((red, 100, 50)) * width) * height
    if alpha is not None:
        half = width // 2
        rows = b"".join(
            b"\0" + bytes((red, 100 if row % 2 else 250, 50, alpha)) * half
            + bytes((red, 100, 50, 255)) * half for row in range(height))
    kind = 2 if alpha is None else 6
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_tar(name, form):
    """Rows whose names need what the formats differ in."""
    keys = ["plain", "folder/" + "long-name-" * (8 if form == tarfile.USTAR_FORMAT else 30), "folder/\u72d7"]
    with tarfile.open(FOLDER / name, "w", format=form) as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for number, key in enumerate(keys):
            for extension, data in ((".png", png(10 * number)), (".txt", f"caption {number}".encode())):
                info = tarfile.TarInfo(key + extension)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def main():
    fast = fast_tokenizer()
    entries, skipped, unequal = [], 0, 0
    for text in captions(random.Random(1)):
        if has_mojibake(text):
            skipped += 1
            continue
        ids = reference([text], CONTEXT_LENGTH)[0].tolist()
        ids = ids[:ids.index(reference.eot_token_id, 1) + 1]
        if "<end_of_text>" in text.lower():
            # The padding begins after the last end of text, and the caption may hold others.
            ids = [reference.sot_token_id, *reference.encode(text), reference.eot_token_id]
            ids = ids[:CONTEXT_LENGTH - 1] + [reference.eot_token_id] if len(ids) > CONTEXT_LENGTH else ids
        other = fast.encode(text).ids
        unequal += ids != other
        data = text.encode()
        entries.append(struct.pack("<H", len(data)) + data + struct.pack("<II", digest(ids), digest(other)))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "hidden.png").write_bytes(png(200, alpha=0))
    write_tar("ustar.tar", tarfile.USTAR_FORMAT)
    write_tar("gnu.tar", tarfile.GNU_FORMAT)
    write_tar("pax.tar", tarfile.PAX_FORMAT)
    parts = 4
    for part in range(parts):
        data = b"CLIPTEXT" + struct.pack("<I", VERSION) + b"".join(entries[part::parts])
        path = FOLDER / f"captions-{part + 1}.bin.gz"
        path.write_bytes(gzip.compress(data, 9, mtime=0))
        print(path.name, path.stat().st_size, "bytes")
    print(len(entries), "captions;", skipped, "with mojibake left out;", unequal,
          "with other ids in Hugging Face's tokenizer")


if __name__ == "__main__":
    main()
