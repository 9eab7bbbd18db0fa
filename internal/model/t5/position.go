package t5

import "math"

// exact is the number of distances, from 0 on, that have a bucket of their own.
func (c Config) exact() int { return c.Buckets / 2 / 2 }

// bucket is the row of the bias table for a key that lies offset tokens behind
// its query: near tokens have a bucket each, distant ones share buckets that
// widen with the logarithm of the distance. Buckets of tokens behind the query
// come after those of tokens before it. The arithmetic is the reference's, in
// 32 bits, since it decides on which side of a bucket's edge a distance falls.
func (c Config) bucket(offset int) int32 {
	half, exact := c.Buckets/2, c.exact()
	first, distance := 0, -offset
	if offset > 0 {
		first, distance = half, offset
	}
	if distance < exact {
		return int32(first + distance)
	}
	octaves := float32(math.Log(float64(float32(distance) / float32(exact))))
	octaves /= float32(math.Log(float64(c.MaxDistance) / float64(exact)))
	far := exact + int(octaves*float32(half-exact))
	return int32(first + min(far, half-1))
}

// buckets are the rows of the bias table for all offsets between n tokens,
// from 1-n to n-1.
func (c Config) buckets(n int) []int32 {
	rows := make([]int32, 2*n-1)
	for i := range rows {
		rows[i] = c.bucket(i - n + 1)
	}
	return rows
}
