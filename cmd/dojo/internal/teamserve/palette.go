package teamserve

import "github.com/backend-kata/dojo/cmd/dojo/internal/team"

// Eight colours that people with any colour vision can tell apart (Okabe and Ito, 2008; their black is grey here, which
// is seen on dark pages too), and five shapes: forty pairs, of which no two look alike.
var (
	palette = []team.Colour{
		{Name: "orange", Hex: "#E69F00"},
		{Name: "sky blue", Hex: "#56B4E9"},
		{Name: "bluish green", Hex: "#009E73"},
		{Name: "yellow", Hex: "#F0E442"},
		{Name: "blue", Hex: "#0072B2"},
		{Name: "vermilion", Hex: "#D55E00"},
		{Name: "reddish purple", Hex: "#CC79A7"},
		{Name: "grey", Hex: "#808080"},
	}
	shapes = []string{"circle", "square", "triangle", "diamond", "star"}
)

// colourOf returns the colour of the pair of that number. Neighbours differ in both.
func colourOf(number int) team.Colour {
	n := number - 1
	c := palette[n%len(palette)]
	c.Shape = shapes[n%len(shapes)] // 8 and 5 have no common divisor
	return c
}
