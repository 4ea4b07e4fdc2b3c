/* The inner loops of near-duplicate search: tokens of ASCII text, band keys, sets, what they share.

   Each does bit for bit what numpy does in plain_text.py, minhash.py, shingles.py and verify.py; the
   tests compare them.
   Plain C without Python's headers, loaded by ctypes: one build serves every version of Python, and
   where there is none, numpy does the work. For little-endian machines. Nothing here allocates, and
   no index leaves the arrays whose sizes the caller gives.
*/

#include <stdint.h>
#include <string.h>

/* The same loop is compiled for each width of vectors, and the machine's own is taken. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define VECTORS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORS
#endif

enum { OTHER, LETTER, DIGIT, SYMBOL };
enum { LONGEST = 16, FEW = 1024 };

static uint64_t mix(uint64_t x) { /* the finaliser of splitmix64 */
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static uint64_t rotated(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static uint64_t load(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    memcpy(&value, bytes, count);
    return value;
}

/* Eight bytes at once: the highest bit of each that is from `first` to `last`, all being ASCII. */
static uint64_t between(uint64_t bytes, uint8_t first, uint8_t last) {
    const uint64_t each = 0x0101010101010101u;
    const uint64_t from = bytes + each * (0x80u - first), past = bytes + each * (0x7Fu - last);
    return from & ~past & each * 0x80u;
}

static uint64_t lower(uint64_t bytes) { return bytes | between(bytes, 'A', 'Z') >> 2; }

/* XXH3 of 1 to 16 ASCII bytes in lower case, without a seed (github.com/Cyan4973/xxHash,
   doc/xxhash_spec.md). */
static uint64_t xxh3(const uint8_t *text, int64_t size) {
    uint64_t mixed;
    if (size <= 3) {
        mixed = (uint64_t)text[0] << 16 | (uint64_t)text[size >> 1] << 24 | text[size - 1];
        mixed = (lower(mixed) | (uint64_t)size << 8) ^ 0x87275A9Bu;
        mixed = (mixed ^ mixed >> 33) * 0xC2B2AE3D27D4EB4Fu;
        mixed = (mixed ^ mixed >> 29) * 0x165667B19E3779F9u;
        return mixed ^ mixed >> 32;
    }
    if (size <= 8) {
        mixed = lower(load(text, 4) << 32 | load(text + size - 4, 4));
        mixed ^= 0xC73AB174C5ECD5A2u;
        mixed ^= rotated(mixed, 49) ^ rotated(mixed, 24);
        mixed *= 0x9FB21C651E98DF25u;
        mixed ^= (mixed >> 35) + (uint64_t)size;
        mixed *= 0x9FB21C651E98DF25u;
        return mixed ^ mixed >> 28;
    }
    uint64_t low = lower(load(text, 8)) ^ 0x6782737BEA4239B9u;
    uint64_t high = lower(load(text + size - 8, 8)) ^ 0xAF56BC3B0996523Au;
    unsigned __int128 product = (unsigned __int128)low * high;
    mixed = (uint64_t)size + __builtin_bswap64(low) + high;
    mixed += (uint64_t)product ^ (uint64_t)(product >> 64);
    mixed = (mixed ^ mixed >> 37) * 0x165667919E3779F9u;
    return mixed ^ mixed >> 32;
}

/* The end of a run of letters that begins at `at`, before `end`; `limit` bytes can be read.

   Eight bytes at a time, as far as the letters go that need no table. A byte past `end` may be
   anything: it changes nothing before itself.
*/
static int64_t letters_end(const uint8_t *text, int64_t at, int64_t end, int64_t limit,
                           const uint8_t *classes) {
    while (at < end && at + 8 <= limit) {
        const uint64_t small = load(text + at, 8) | 0x2020202020202020u;
        const uint64_t others = ~between(small, 'a', 'z') & 0x8080808080808080u;
        at += others ? __builtin_ctzll(others) >> 3 : 8;
        if (others) break;
    }
    if (at > end) at = end;
    while (at < end && classes[text[at]] == LETTER) at++;
    return at;
}

/* Tokens of ASCII texts: the hash of each, its lowest bit 1 for a number, an operator or a negation.

   text, offsets: the bytes of `rows` texts, of which row i is text[offsets[i]] … offsets[i + 1].
   classes: of each of 256 bytes; a to z in both cases are letters.
   negations: hashes of the words that turn a sentence around.
   hashes, counts: what is found; room for a token of each byte, and for each row.
   long_tokens: for each token of more than LONGEST bytes, which has no hash yet, three numbers:
   which token it is, its first byte and the one after its last; room for one of 16 bytes.
   Returns how many long tokens there are.
*/
int64_t scan(const uint8_t *text, const int64_t *offsets, int64_t rows, const uint8_t *classes,
             const uint64_t *negations, int64_t negation_count, uint64_t *hashes, int64_t *counts,
             int64_t *long_tokens) {
    const int64_t limit = offsets[rows];
    int64_t found = 0, long_count = 0;
    uint64_t highest = 0, next = 0; /* of a hash that is none of the negations, one is missing */
    for (int64_t k = 0; k < negation_count; k++) {
        highest |= (uint64_t)1 << (negations[k] >> 58);
        next |= (uint64_t)1 << (negations[k] >> 52 & 63);
    }
    for (int64_t row = 0; row < rows; row++) {
        const int64_t end = offsets[row + 1], before = found;
        int64_t taken = offsets[row]; /* where the token before ends */
        for (int64_t at = taken; at < end; at++) {
            const int kind = classes[text[at]];
            if (kind == OTHER) continue;
            int64_t start = at, stop = at + 1;
            if (kind == LETTER) {
                stop = letters_end(text, stop, end, limit, classes);
            } else if (kind == DIGIT) { /* with its point and sign, and parts such as ,234 */
                if (start > taken && text[start - 1] == '.') start--;
                if (start > taken && text[start - 1] == '-') start--;
                for (;;) {
                    while (stop < end && classes[text[stop]] == DIGIT) stop++;
                    if (stop + 1 >= end || (text[stop] != '.' && text[stop] != ',')) break;
                    if (classes[text[stop + 1]] != DIGIT) break;
                    stop++;
                }
            } else if (text[at] == '=' && start > taken && text[start - 1] == '!') {
                start--;
            }
            const int64_t size = stop - start;
            uint64_t symbol = kind != LETTER, hash = 0;
            if (size > LONGEST) {
                int64_t *one = long_tokens + 3 * long_count++;
                one[0] = found, one[1] = start, one[2] = stop;
            } else {
                hash = xxh3(text + start, size);
                if (highest >> (hash >> 58) & next >> (hash >> 52 & 63) & 1)
                    for (int64_t k = 0; k < negation_count; k++) symbol |= hash == negations[k];
            }
            hashes[found++] = (hash & ~(uint64_t)1) | symbol;
            taken = stop, at = stop - 1;
        }
        counts[row] = found - before;
    }
    return long_count;
}

/* One hash of each row over its tokens, in their order or in any.

   hashes, offsets: of `rows` rows.
   ordered: whether places count, and the number of tokens.
   out: one for each row.
*/
void row_hashes(const uint64_t *hashes, const int64_t *offsets, int64_t rows, int64_t ordered,
                uint64_t *out) {
    const uint64_t step = ordered ? 0xC2B2AE3D27D4EB4Fu : 0;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t begin = offsets[row], end = offsets[row + 1];
        uint64_t total = 0;
        for (int64_t at = begin; at < end; at++) total += mix(hashes[at] + step * (at - begin));
        out[row] = ordered ? mix((uint64_t)(end - begin) + 0x9E3779B97F4A7C15u) ^ total : total;
    }
}

/* The numbers, operators and negations of each row, in their order.

   hashes, offsets: of `rows` rows.
   symbols: what is found, row after row; room for all tokens and one more.
   counts: how many each row has.
*/
void only_symbols(const uint64_t *hashes, const int64_t *offsets, int64_t rows, uint64_t *symbols,
                  int64_t *counts) {
    int64_t found = 0;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t before = found;
        for (int64_t at = offsets[row]; at < offsets[row + 1]; at++) {
            symbols[found] = hashes[at];
            found += hashes[at] & 1;
        }
        counts[row] = found - before;
    }
}

/* The smallest and the largest product of the values with an odd factor. */
VECTORS static void ends_of(const uint32_t *values, int64_t count, uint32_t factor,
                            uint32_t *smallest, uint32_t *largest) {
    uint32_t low = UINT32_MAX, high = 0;
    for (int64_t k = 0; k < count; k++) {
        const uint32_t value = values[k] * factor;
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    *smallest = low, *largest = high;
}

/* Band keys of rows, each the tokens of one table and then those of a second.

   hashes, offsets: of each of the two tables.
   rows: `count` rows of both tables; each has a token.
   shingle, multipliers: tokens in a shingle, and what each of them is multiplied with.
   whole: of each of `rows`, the one shingle of a row with fewer tokens than that.
   factors: of `bands` times `functions` permutations, of which every second is used.
   tokens, values, ends: room for the tokens of the longest row, twice, and for
   `bands * functions + 1` numbers.
   keys: shape (bands, count), `stride` apart.
*/
void band_keys(const uint64_t *const *hashes, const int64_t *const *offsets, const int64_t *rows,
               int64_t count, int64_t shingle, const uint64_t *multipliers, const uint64_t *whole,
               const uint32_t *factors, int64_t bands, int64_t functions, uint64_t *tokens,
               uint32_t *values, uint32_t *ends, uint64_t *keys, int64_t stride) {
    for (int64_t place = 0; place < count; place++) {
        int64_t size = 0;
        for (int table = 0; table < 2; table++) {
            const int64_t begin = offsets[table][rows[place]];
            const int64_t length = offsets[table][rows[place] + 1] - begin;
            memcpy(tokens + size, hashes[table] + begin, length * sizeof *tokens);
            size += length;
        }
        int64_t shingles = size - shingle + 1;
        if (shingles < 1) {
            values[0] = whole[place] >> 32;
            shingles = 1;
        } else {
            for (int64_t at = 0; at < shingles; at++) {
                uint64_t total = 0;
                for (int64_t k = 0; k < shingle; k++) total += tokens[at + k] * multipliers[k];
                values[at] = mix(total) >> 32;
            }
        }
        for (int64_t k = 0; k < bands * functions; k += 2)
            ends_of(values, shingles, factors[k], ends + k, ends + k + 1);
        for (int64_t band = 0; band < bands; band++) {
            uint64_t key = band + 1;
            for (int64_t k = 0; k < functions; k++) key = mix(key ^ ends[band * functions + k]);
            keys[band * stride + place] = key;
        }
    }
}

/* Sort few numbers below 2^40 by their highest byte, then what is left by insertion: hashes are
   spread so evenly that it is next to nothing. */
static void sort_few(uint64_t *keys, uint64_t *spare, int64_t count) {
    int32_t places[257] = {0};
    for (int64_t k = 0; k < count; k++) places[(keys[k] >> 32) + 1]++;
    for (int byte = 0; byte < 256; byte++) places[byte + 1] += places[byte];
    for (int64_t k = 0; k < count; k++) spare[places[keys[k] >> 32]++] = keys[k];
    for (int64_t k = 0; k < count; k++) {
        int64_t at = k;
        for (; at > 0 && keys[at - 1] > spare[k]; at--) keys[at] = keys[at - 1];
        keys[at] = spare[k];
    }
}

/* Sort numbers below 2^40, byte by byte from the lowest; `spare` has room for as many. */
static void sort_40_bits(uint64_t *keys, uint64_t *spare, int64_t count) {
    if (count <= FEW) {
        sort_few(keys, spare, count);
        return;
    }
    for (int shift = 0; shift < 40; shift += 8) {
        int64_t places[257] = {0};
        for (int64_t k = 0; k < count; k++) places[(keys[k] >> shift & 255) + 1]++;
        for (int byte = 0; byte < 256; byte++) places[byte + 1] += places[byte];
        for (int64_t k = 0; k < count; k++) spare[places[keys[k] >> shift & 255]++] = keys[k];
        uint64_t *sorted = spare;
        spare = keys, keys = sorted;
    }
    /* After an odd number of passes the sorted ones are in what was the spare room. */
    memcpy(spare, keys, count * sizeof *keys);
}

/* The distinct tokens of rows, sorted, as 40 bits of which the lowest is the class.

   hashes, offsets, rows, count: as of band_keys.
   spare: room for the tokens of the longest row.
   sets: what is found, row after row; room for all tokens of the rows.
   sizes: how many each row has.
*/
void distinct(const uint64_t *const *hashes, const int64_t *const *offsets, const int64_t *rows,
              int64_t count, uint64_t *spare, uint64_t *sets, int64_t *sizes) {
    for (int64_t place = 0; place < count; place++) {
        int64_t size = 0;
        for (int table = 0; table < 2; table++) {
            const int64_t stop = offsets[table][rows[place] + 1];
            for (int64_t at = offsets[table][rows[place]]; at < stop; at++) {
                const uint64_t hash = hashes[table][at];
                sets[size++] = (mix(hash) >> 24 & ~(uint64_t)1) | (hash & 1);
            }
        }
        sort_40_bits(sets, spare, size);
        int64_t kept = size > 0;
        for (int64_t at = 1; at < size; at++)
            if (sets[at] != sets[kept - 1]) sets[kept++] = sets[at];
        sizes[place] = kept;
        sets += kept;
    }
}

/* What the sets of each pair share: the weights of all tokens, those of symbols, and how many.

   left, right, their offsets: sets from `distinct`.
   first, second: `count` pairs of rows, one of each.
   table, mask: the weight of token t is table[t >> 1 & mask]; without a table it is 1.
   shared, symbols, tokens: what is found of each pair.
*/
void shared(const uint64_t *left, const int64_t *left_offsets, const uint64_t *right,
            const int64_t *right_offsets, const int64_t *first, const int64_t *second,
            int64_t count, const float *table, uint64_t mask, double *shared, double *symbols,
            double *tokens) {
    for (int64_t pair = 0; pair < count; pair++) {
        int64_t a = left_offsets[first[pair]], b = right_offsets[second[pair]];
        const int64_t a_stop = left_offsets[first[pair] + 1];
        const int64_t b_stop = right_offsets[second[pair] + 1];
        double all = 0, marked = 0, number = 0;
        while (a < a_stop && b < b_stop) {
            const uint64_t token = left[a], other = right[b];
            if (token == other) {
                const double weight = table ? table[token >> 1 & mask] : 1;
                all += weight, marked += token & 1 ? weight : 0, number++;
            }
            a += token <= other, b += other <= token;
        }
        shared[pair] = all, symbols[pair] = marked, tokens[pair] = number;
    }
}
