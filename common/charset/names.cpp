// SPDX-License-Identifier: MIT
#include <algorithm>
#include <string>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::charset {

namespace {

// Keys without case, '-', '_', '.', ' ' and ':', so that "ISO_8859-1:1987" and "iso8859-1" need no rows of their own.
struct Alias {
    std::string_view key, name;
};

// Where a label is used for a superset of what it says, the superset decodes it (as browsers do): Latin-1 mail holds
// Windows-1252 quotes, gb2312 mail holds GBK, ks_c_5601 mail holds UHC, shift_jis mail holds CP932.
constexpr Alias kAliases[] = {
    {"ansix341968", "UTF-8"},
    {"arabic", "ISO-8859-6"},
    {"ascii", "UTF-8"},
    {"asmo708", "ISO-8859-6"},
    {"big5", "BIG5-HKSCS"},
    {"big5hkscs", "BIG5-HKSCS"},
    {"cp1250", "CP1250"},
    {"cp1251", "CP1251"},
    {"cp1252", "CP1252"},
    {"cp1253", "CP1253"},
    {"cp1254", "CP1254"},
    {"cp1255", "CP1255"},
    {"cp1256", "CP1256"},
    {"cp1257", "CP1257"},
    {"cp1258", "CP1258"},
    {"cp437", "IBM437"},
    {"cp819", "CP1252"},
    {"cp850", "IBM850"},
    {"cp852", "IBM852"},
    {"cp866", "IBM866"},
    {"cp874", "CP874"},
    {"cp932", "CP932"},
    {"cp936", "GB18030"},
    {"cp949", "UHC"},
    {"cp950", "BIG5-HKSCS"},
    {"csbig5", "BIG5-HKSCS"},
    {"cseuckr", "UHC"},
    {"cseucpkdfmtjapanese", "EUC-JP"},
    {"csgb2312", "GB18030"},
    {"csiso2022jp", "ISO-2022-JP-2"},
    {"csiso2022kr", "ISO-2022-KR"},
    {"csisolatin1", "CP1252"},
    {"cskoi8r", "KOI8-R"},
    {"csksc56011987", "UHC"},
    {"csshiftjis", "CP932"},
    {"cyrillic", "ISO-8859-5"},
    {"euccn", "GB18030"},
    {"eucjp", "EUC-JP"},
    {"euckr", "UHC"},
    {"euctw", "EUC-TW"},
    {"gb18030", "GB18030"},
    {"gb2312", "GB18030"},
    {"gb231280", "GB18030"},
    {"gbk", "GB18030"},
    {"greek", "ISO-8859-7"},
    {"hebrew", "ISO-8859-8"},
    {"ibm437", "IBM437"},
    {"ibm850", "IBM850"},
    {"ibm852", "IBM852"},
    {"ibm866", "IBM866"},
    {"iso10646ucs2", "UCS-2BE"},
    {"iso2022jp", "ISO-2022-JP-2"},
    {"iso2022jp1", "ISO-2022-JP-2"},
    {"iso2022jp2", "ISO-2022-JP-2"},
    {"iso2022jpms", "ISO-2022-JP-2"},
    {"iso2022kr", "ISO-2022-KR"},
    {"iso646us", "UTF-8"},
    {"iso88591", "CP1252"},
    {"iso885910", "ISO-8859-10"},
    {"iso885911", "CP874"},
    {"iso885913", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"},
    {"iso885915", "ISO-8859-15"},
    {"iso885916", "ISO-8859-16"},
    {"iso885911987", "CP1252"},
    {"iso88592", "ISO-8859-2"},
    {"iso885921987", "ISO-8859-2"},
    {"iso88593", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},
    {"iso88595", "ISO-8859-5"},
    {"iso88596", "ISO-8859-6"},
    {"iso88597", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},
    {"iso88598e", "ISO-8859-8"},
    {"iso88598i", "ISO-8859-8"},
    {"iso88599", "CP1254"},
    {"isoir100", "CP1252"},
    {"koi8", "KOI8-R"},
    {"koi8r", "KOI8-R"},
    {"koi8ru", "KOI8-U"},
    {"koi8u", "KOI8-U"},
    {"korean", "UHC"},
    {"ksc5601", "UHC"},
    {"ksc56011987", "UHC"},
    {"ksc56011989", "UHC"},
    {"l1", "CP1252"},
    {"l2", "ISO-8859-2"},
    {"latin0", "ISO-8859-15"},
    {"latin1", "CP1252"},
    {"latin2", "ISO-8859-2"},
    {"latin3", "ISO-8859-3"},
    {"latin4", "ISO-8859-4"},
    {"latin5", "CP1254"},
    {"latin6", "ISO-8859-10"},
    {"latin9", "ISO-8859-15"},
    {"mac", "MACINTOSH"},
    {"macintosh", "MACINTOSH"},
    {"macroman", "MACINTOSH"},
    {"ms932", "CP932"},
    {"ms936", "GB18030"},
    {"ms949", "UHC"},
    {"mskanji", "CP932"},
    {"shiftjis", "CP932"},
    {"sjis", "CP932"},
    {"thai", "CP874"},
    {"tis620", "CP874"},
    {"ucs2", "UCS-2BE"},
    {"uhc", "UHC"},
    {"unicode11utf7", "UTF-7"},
    {"unicode11utf8", "UTF-8"},
    {"us", "UTF-8"},
    {"usascii", "UTF-8"},
    {"utf16", "UTF-16"},
    {"utf16be", "UTF-16BE"},
    {"utf16le", "UTF-16LE"},
    {"utf32", "UTF-32"},
    {"utf7", "UTF-7"},
    {"utf8", "UTF-8"},
    {"windows1250", "CP1250"},
    {"windows1251", "CP1251"},
    {"windows1252", "CP1252"},
    {"windows1253", "CP1253"},
    {"windows1254", "CP1254"},
    {"windows1255", "CP1255"},
    {"windows1256", "CP1256"},
    {"windows1257", "CP1257"},
    {"windows1258", "CP1258"},
    {"windows31j", "CP932"},
    {"windows874", "CP874"},
    {"windows932", "CP932"},
    {"windows936", "GB18030"},
    {"windows949", "UHC"},
    {"win1250", "CP1250"},
    {"win1251", "CP1251"},
    {"win1252", "CP1252"},
    {"xcp1250", "CP1250"},
    {"xcp1251", "CP1251"},
    {"xcp1252", "CP1252"},
    {"xeucjp", "EUC-JP"},
    {"xgbk", "GB18030"},
    {"xmacroman", "MACINTOSH"},
    {"xsjis", "CP932"},
    {"xunicode20utf7", "UTF-7"},
    {"xunicode20utf8", "UTF-8"},
    {"xwindows949", "UHC"},
    {"xxbig5", "BIG5-HKSCS"},
};

}  // namespace

std::string_view canonical_name(std::string_view name) noexcept {
    char key[40];
    std::size_t n = 0;
    for (const char c : text::trim(name)) {
        if (c == '-' || c == '_' || c == '.' || c == ' ' || c == ':') continue;
        if (n == sizeof key) return {};
        key[n++] = text::to_lower(c);
    }
    const std::string_view wanted(key, n);
    const auto* found =
        std::find_if(std::begin(kAliases), std::end(kAliases), [&](const Alias& a) { return a.key == wanted; });
    return found == std::end(kAliases) ? std::string_view() : found->name;
}

}  // namespace gk::charset
