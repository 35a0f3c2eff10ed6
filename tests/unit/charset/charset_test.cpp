// SPDX-License-Identifier: MIT
#include "common/charset/charset.hpp"
#include "common/charset/mutf7.hpp"

namespace gk::charset {
namespace {

TEST(Charset, DecodesWhatMailNames) {
    EXPECT_EQ(to_utf8("caf\xE9", "ISO-8859-1"), "café");
    EXPECT_EQ(to_utf8("caf\xE9", "latin1"), "café");
    EXPECT_EQ(to_utf8("\x93quoted\x94 \x80", "windows-1252"), "“quoted” €");
    EXPECT_EQ(to_utf8("\xCF\xF0\xE8\xE2\xE5\xF2", "Windows-1251"), "Привет");
    EXPECT_EQ(to_utf8("\xF0\xD2\xC9\xD7\xC5\xD4", "KOI8-R"), "Привет");
    EXPECT_EQ(to_utf8("\x1B$B$3$s\x1B(B", "ISO-2022-JP"), "こん");
    EXPECT_EQ(to_utf8("\x82\xB1\x82\xF1", "Shift_JIS"), "こん");
    EXPECT_EQ(to_utf8("\xC4\xE3\xBA\xC3", "gb2312"), "你好");
    EXPECT_EQ(to_utf8("\xA7\x41\xA6\x6E", "Big5"), "你好");
    EXPECT_EQ(to_utf8("\xBE\xC8\xB3\xE7", "ks_c_5601-1987"), "안녕");
    EXPECT_EQ(to_utf8("+AOk-", "utf-7"), "é");
    EXPECT_EQ(to_utf8(std::string_view("\0e\0\xE9", 4), "utf-16be"), "eé");
    EXPECT_EQ(to_utf8("a\xA4", "iso-8859-15"), "a€");
}

TEST(Charset, KnowsOnlyItsOwnList) {
    EXPECT_EQ(canonical_name(" ISO_8859-1:1987 "), "CP1252");
    EXPECT_EQ(canonical_name("utf8"), "UTF-8");
    EXPECT_EQ(canonical_name("UTF-8//TRANSLIT"), "");
    EXPECT_EQ(canonical_name("IBM1364"), "");
    EXPECT_EQ(canonical_name(std::string(1000, 'a')), "");
    EXPECT_EQ(canonical_name(""), "");
}

TEST(Charset, NeverFails) {
    EXPECT_EQ(to_utf8("a\xFFz", "utf-8"), "a\xEF\xBF\xBDz");
    EXPECT_EQ(to_utf8("a\xFFz", "no-such-charset"), "a\xEF\xBF\xBDz");
    EXPECT_EQ(to_utf8("\xC3", "utf-8"), "\xEF\xBF\xBD");
    EXPECT_EQ(to_utf8("a\x82", "shift_jis"), "a\xEF\xBF\xBD");
    EXPECT_EQ(to_utf8("\xFF\x41", "euc-jp"), "\xEF\xBF\xBD\x41");
    EXPECT_EQ(to_utf8("", "utf-8"), "");
    for (const char* name :
         {"utf-16", "utf-7", "iso-2022-jp", "iso-2022-kr", "gb18030", "big5", "euc-tw", "utf-32", "koi8-u"})
        for (int seed = 0; seed < 50; ++seed) {
            std::string bytes;
            for (int i = 0; i < 97; ++i) bytes += static_cast<char>((seed * 131 + i * i * 7 + i * seed) & 0xFF);
            const std::string out = to_utf8(bytes, name);
            EXPECT_EQ(out, valid_utf8(out)) << name << ' ' << seed;
        }
}

TEST(Charset, CutsAtALimitBetweenCharacters) {
    EXPECT_EQ(to_utf8("ééé", "utf-8", 3), "é");
    EXPECT_EQ(to_utf8("abc", "utf-8", 3), "abc");
    EXPECT_EQ(to_utf8("abc", "utf-8", 0), "");
}

TEST(Charset, StreamsGiveTheSameAtEverySplit) {
    const std::pair<const char*, std::string> cases[] = {
        {"utf-8", "aé€😀\xFF\xE2\x82z\xF0\x9F"},
        {"iso-2022-jp", "x\x1B$B$3$s\x1B(By"},
        {"windows-1252", "a\x93\xE9"},
        {"shift_jis", "\x82\xB1z\x82\xF1"},
    };
    for (const auto& [name, bytes] : cases) {
        const std::string whole = to_utf8(bytes, name);
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            std::string out;
            Decoder decoder(name);
            decoder.feed(std::string_view(bytes).substr(0, cut), out);
            decoder.feed(std::string_view(bytes).substr(cut), out);
            decoder.finish(out);
            EXPECT_EQ(out, whole) << name << " cut at " << cut;
        }
    }
}

TEST(Charset, UsesPreloadedConverters) {
    preload();
    EXPECT_EQ(to_utf8("\xF0\xD2", "koi8-r"), "Пр");
    Decoder a("koi8-r");
    Decoder b = std::move(a);
    std::string out;
    b.feed("\xF0", out);
    b.finish(out);
    EXPECT_EQ(out, "П");
}

TEST(Charset, FoldsCase) {
    EXPECT_EQ(fold_case("HeLLo"), "hello");
    EXPECT_EQ(fold_case("ÄÖÜ ÉÀ Ÿ"), "äöü éà ÿ");
    EXPECT_EQ(fold_case("ПРИВЕТ ΣΊΣΥΦΟΣ ΣΑΣ"), "привет σίσυφοσ σασ");
    EXPECT_EQ(fold_case("ς"), "σ");
    EXPECT_EQ(fold(U'A'), U'a');
    EXPECT_EQ(fold(U'Ā'), U'ā');
    EXPECT_EQ(fold(U'ā'), U'ā');
    EXPECT_EQ(fold(U'𐐀'), U'𐐨');
    EXPECT_EQ(fold(U'你'), U'你');
    EXPECT_EQ(fold_case("\xFF"), "\xEF\xBF\xBD");
}

TEST(Charset, ReadsUtf8Strictly) {
    for (const std::string_view bad :
         {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE0\x80\x80", "\x80", "\xF8\x88"}) {
        std::size_t pos = 0;
        EXPECT_EQ(next_utf8(bad, pos), U'\uFFFD');
        EXPECT_EQ(pos, 1u);
    }
    std::string out;
    append_utf8(out, 0xD800);
    append_utf8(out, 0x110000);
    EXPECT_EQ(out, "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Mutf7, EncodesAsRfc3501Says) {
    EXPECT_EQ(to_mutf7("~peter/mail/台北/日本語"), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
    EXPECT_EQ(to_mutf7("A & B"), "A &- B");
    EXPECT_EQ(to_mutf7("é&è"), "&AOk-&-&AOg-");
    EXPECT_EQ(to_mutf7("😀"), "&2D3eAA-");
    EXPECT_EQ(to_mutf7(""), "");
    EXPECT_EQ(to_mutf7("\t"), "&AAk-");
}

TEST(Mutf7, DecodesWhatItEncodes) {
    for (const char* name : {"", "INBOX", "A & B", "é&è", "台北", "😀x😀", "Gelöschte Objekte", "Отправленные", "a\tb"})
        EXPECT_EQ(from_mutf7(to_mutf7(name)), name);
}

TEST(Mutf7, RefusesWhatIsNotCanonical) {
    for (const char* bad : {"&", "&AOk", "&AGE-", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "é", "&AOl-", "&AA-", "&2D0-", "&3gA-",
                            "a\tb", "&2D0AYQ-", "&AOkA-"})
        EXPECT_EQ(from_mutf7(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace gk::charset
