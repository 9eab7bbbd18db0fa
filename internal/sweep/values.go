package sweep

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// mostValues is how many values an axis may have.
const mostValues = 10000

// decimal is a number as axes have it.
var decimal = regexp.MustCompile(`^[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})$`)

// Decimals reads numbers and ranges FIRST:LAST:STEP, with commas between. They
// come back as shortest exact decimals, so that 1:1.6:0.2 is 1, 1.2, 1.4, 1.6.
func Decimals(text string) ([]string, error) {
	var all []string
	there := map[string]bool{}
	for _, part := range strings.Split(text, ",") {
		values, err := span(strings.Split(strings.TrimSpace(part), ":"))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", part, err)
		}
		for _, v := range values {
			if there[v] {
				return nil, fmt.Errorf("%q: %s is there twice", text, v)
			}
			there[v] = true
		}
		if all = append(all, values...); len(all) > mostValues {
			return nil, fmt.Errorf("%q: more than %d values", text, mostValues)
		}
	}
	return all, nil
}

// Integers is Decimals without a fraction.
func Integers(text string) ([]int64, error) {
	values, err := Decimals(text)
	all := make([]int64, len(values))
	for i, v := range values {
		if all[i], err = strconv.ParseInt(v, 10, 64); err != nil {
			return nil, fmt.Errorf("%q: %s is no whole number", text, v)
		}
	}
	return all, err
}

// span is the numbers from the first to the last, both included where the step
// meets it.
func span(parts []string) ([]string, error) {
	numbers := make([]*big.Rat, len(parts))
	digits := 0 // after the point
	for i, p := range parts {
		if !decimal.MatchString(p) {
			return nil, fmt.Errorf("write numbers such as 1.2, or ranges FIRST:LAST:STEP such as 1:1.6:0.2")
		}
		numbers[i], _ = new(big.Rat).SetString(strings.TrimSuffix(p, "."))
		_, fraction, _ := strings.Cut(p, ".")
		digits = max(digits, len(fraction))
	}
	first, last, step := numbers[0], numbers[0], big.NewRat(1, 1)
	switch len(parts) {
	case 1:
	case 3:
		step = numbers[2]
		fallthrough
	case 2:
		last = numbers[1]
	default:
		return nil, fmt.Errorf("a range is FIRST:LAST:STEP")
	}
	if way := new(big.Rat).Sub(last, first); step.Sign() == 0 || way.Sign() != 0 && way.Sign() != step.Sign() {
		return nil, fmt.Errorf("steps of %s do not lead from %s to %s", shortest(step, digits), shortest(first, digits), shortest(last, digits))
	}
	var values []string
	for v := first; v.Cmp(last)*step.Sign() <= 0; v = new(big.Rat).Add(v, step) {
		if values = append(values, shortest(v, digits)); len(values) > mostValues {
			return nil, fmt.Errorf("more than %d values", mostValues)
		}
	}
	return values, nil
}

// shortest is v without zeros at the end.
func shortest(v *big.Rat, digits int) string {
	text := v.FloatString(digits)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}
