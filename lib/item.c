/* SPDX-License-Identifier: MIT */
/*
 * Reading is strict by one rule: the head that was read is encoded again, and must come out as
 * the bytes that were there. So whatever is accepted is the shortest form. (A head of one byte
 * is: item.h.)
 */
#include "item.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include <cbor/encoding.h>
#include <cbor/streaming.h>


/*
 * The half-precision form of @real, if it has one. Not cbor_encode_half(), which loses
 * the significand of halves below 2^-14, that would then not have the shortest form.
 */
static bool find_half(double real, uint16_t *ret_half)
{
	double size = fabs(real), scaled;
	uint16_t sign = signbit(real) ? 0x8000 : 0;
	int exponent;

	if (isnan(real)) {
		*ret_half = 0x7e00;
		return true;
	}
	if (isinf(real)) {
		*ret_half = sign | 0x7c00;
		return true;
	}
	if (size >= 65536.0)
		return false;

	/* size is scaled * 2^(exponent - 25): as many of its 11 bits as there are */
	frexp(size, &exponent);
	exponent = exponent + 14 > 1 ? exponent + 14 : 1;
	scaled = ldexp(size, 25 - exponent);
	if (scaled != (double)(uint16_t)scaled)
		return false;

	if (scaled < 1024.0)	/* zero or subnormal */
		*ret_half = sign | (uint16_t)scaled;
	else
		*ret_half = (uint16_t)(sign | (exponent << 10) |
				       ((uint16_t)scaled - 1024));
	return true;
}

static size_t encode_double(double real, unsigned char *buf)
{
	uint16_t half;

	if (find_half(real, &half)) {
		buf[0] = 0xf9;
		buf[1] = (unsigned char)(half >> 8);
		buf[2] = (unsigned char)half;
		return 3;
	}
	if (fabs(real) <= (double)FLT_MAX && (double)(float)real == real)
		return cbor_encode_single((float)real, buf, ITEM_HEAD_MAX);
	return cbor_encode_double(real, buf, ITEM_HEAD_MAX);
}

static size_t encode_integer(int64_t integer, unsigned char *buf)
{
	if (integer < 0)
		return cbor_encode_negint((uint64_t)(-1 - integer), buf, ITEM_HEAD_MAX);
	return cbor_encode_uint((uint64_t)integer, buf, ITEM_HEAD_MAX);
}

size_t item_write_long_head(const struct aioevt_value *value, unsigned char *buf)
{
	switch (value->type) {
	case AIOEVT_NULL:
		return cbor_encode_null(buf, ITEM_HEAD_MAX);
	case AIOEVT_BOOL:
		return cbor_encode_bool(value->boolean, buf, ITEM_HEAD_MAX);
	case AIOEVT_INT:
		return encode_integer(value->integer, buf);
	case AIOEVT_UINT:
		return cbor_encode_uint(value->natural, buf, ITEM_HEAD_MAX);
	case AIOEVT_DOUBLE:
		return encode_double(value->real, buf);
	case AIOEVT_TEXT:
		return cbor_encode_string_start(value->n, buf, ITEM_HEAD_MAX);
	case AIOEVT_BYTES:
		return cbor_encode_bytestring_start(value->n, buf, ITEM_HEAD_MAX);
	case AIOEVT_LIST:
		return cbor_encode_array_start(value->n, buf, ITEM_HEAD_MAX);
	case AIOEVT_MAP:
		return cbor_encode_map_start(value->n, buf, ITEM_HEAD_MAX);
	}
	return 0;
}

static void on_refuse(void *ctx)
{
	((struct item_reader *)ctx)->refused = true;
}

static void on_tag(void *ctx, uint64_t tag)
{
	(void)tag;
	on_refuse(ctx);
}

static void on_uint8(void *ctx, uint8_t natural)
{
	((struct item_reader *)ctx)->item = value_uint(natural);
}

static void on_uint16(void *ctx, uint16_t natural)
{
	((struct item_reader *)ctx)->item = value_uint(natural);
}

static void on_uint32(void *ctx, uint32_t natural)
{
	((struct item_reader *)ctx)->item = value_uint(natural);
}

static void on_uint64(void *ctx, uint64_t natural)
{
	((struct item_reader *)ctx)->item = value_uint(natural);
}

/* CBOR's negative integer @n means -1 - @n. */
static void on_negint64(void *ctx, uint64_t n)
{
	if (n > INT64_MAX)
		on_refuse(ctx);
	else
		((struct item_reader *)ctx)->item = value_int(-1 - (int64_t)n);
}

static void on_negint32(void *ctx, uint32_t n)
{
	on_negint64(ctx, n);
}

static void on_negint16(void *ctx, uint16_t n)
{
	on_negint64(ctx, n);
}

static void on_negint8(void *ctx, uint8_t n)
{
	on_negint64(ctx, n);
}

static void on_double(void *ctx, double real)
{
	((struct item_reader *)ctx)->item = value_double(real);
}

static void on_float(void *ctx, float real)
{
	on_double(ctx, (double)real);
}

static void on_null(void *ctx)
{
	((struct item_reader *)ctx)->item = value_null();
}

static void on_bool(void *ctx, bool boolean)
{
	((struct item_reader *)ctx)->item = value_bool(boolean);
}

static void on_text(void *ctx, cbor_data string, size_t n)
{
	((struct item_reader *)ctx)->item = value_borrow(AIOEVT_TEXT, string, n);
}

static void on_bytes(void *ctx, cbor_data string, size_t n)
{
	((struct item_reader *)ctx)->item = value_borrow(AIOEVT_BYTES, string, n);
}

static void on_list(void *ctx, size_t n)
{
	((struct item_reader *)ctx)->item = (struct aioevt_value){ .type = AIOEVT_LIST, .n = n };
}

static void on_map(void *ctx, size_t n)
{
	((struct item_reader *)ctx)->item = (struct aioevt_value){ .type = AIOEVT_MAP, .n = n };
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8, .uint16 = on_uint16,
	.uint32 = on_uint32, .uint64 = on_uint64,
	.negint8 = on_negint8, .negint16 = on_negint16,
	.negint32 = on_negint32, .negint64 = on_negint64,
	.float2 = on_float, .float4 = on_float, .float8 = on_double,
	.null = on_null, .boolean = on_bool,
	.string = on_text, .byte_string = on_bytes,
	.array_start = on_list, .map_start = on_map,
	.string_start = on_refuse, .byte_string_start = on_refuse,
	.indef_array_start = on_refuse, .indef_map_start = on_refuse,
	.indef_break = on_refuse, .undefined = on_refuse, .tag = on_tag,
};

/* Bytes of @item that follow its head and were read with it. */
static size_t body_size(const struct aioevt_value *item)
{
	return item->type == AIOEVT_TEXT || item->type == AIOEVT_BYTES ? item->n : 0;
}

/* Whether the item just read, of @n_read bytes, is what the encoder writes for it. */
static bool is_shortest(const struct item_reader *d, size_t n_read)
{
	unsigned char head[ITEM_HEAD_MAX];
	size_t n;

	n = item_write_long_head(&d->item, head);
	return n + body_size(&d->item) == n_read && !memcmp(head, d->pos, n);
}

int item_read_long(struct item_reader *d, struct aioevt_value *ret_item)
{
	struct cbor_decoder_result result;

	d->refused = false;
	result = cbor_stream_decode(d->pos, (size_t)(d->end - d->pos), &callbacks, d);
	if (result.status != CBOR_DECODER_FINISHED || d->refused)
		return -EBADMSG;
	if (!is_shortest(d, result.read))
		return -EBADMSG;
	if (d->item.type == AIOEVT_TEXT && !utf8_valid(d->item.string, d->item.n))
		return -EBADMSG;

	*ret_item = d->item;
	d->pos += result.read;
	return 0;
}
